// Which latents of a row a code keeps: found in the panels of a product while they are in the first-level cache.
//
// A row's choice is a short list in the order of latents. `select` appends what exceeds a threshold, which costs a
// load, a comparison and, mostly, no branch taken. For the k largest that threshold is the k-th largest so far; it
// rises when `keep_largest` cuts a list that has become long. So a row of n latents in random order appends some k
// log(n / k) of them.
#pragma once

#include "simd.hpp"

namespace sae_fast {
namespace {

/// A bit for each lane where v <= t is false: v > t, or NaN.
template <class T>
inline unsigned lanes_above(Vec<T> v, Vec<T> t) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return _mm512_cmp_ps_mask(v, t, _CMP_NLE_UQ);
    if constexpr (sizeof(T) == 8) return _mm512_cmp_pd_mask(v, t, _CMP_NLE_UQ);
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(v, t, _CMP_NLE_UQ)));
    if constexpr (sizeof(T) == 8) return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(v, t, _CMP_NLE_UQ)));
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4) return static_cast<unsigned>(_mm_movemask_ps(_mm_cmpnle_ps(v, t)));
    if constexpr (sizeof(T) == 8) return static_cast<unsigned>(_mm_movemask_pd(_mm_cmpnle_pd(v, t)));
#else
    const IntVec<T> at_most = v <= t;
    unsigned lanes = 0;
    for (Size i = 0; i < kLanes<T>; ++i) lanes |= (at_most[i] == 0 ? 1U : 0U) << i;
    return lanes;
#endif
}

/// A bit for each lane whose sign is set, as it is in all lanes where a comparison holds.
template <class T>
inline unsigned lanes_of(IntVec<T> mask) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
    if constexpr (sizeof(T) == 8) return _mm512_movepi64_mask(reinterpret_cast<__m512i>(mask));
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
    if constexpr (sizeof(T) == 8) return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(mask)));
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4) return static_cast<unsigned>(_mm_movemask_ps(reinterpret_cast<__m128>(mask)));
    if constexpr (sizeof(T) == 8) return static_cast<unsigned>(_mm_movemask_pd(reinterpret_cast<__m128d>(mask)));
#else
    unsigned lanes = 0;
    for (Size i = 0; i < kLanes<T>; ++i) lanes |= (mask[i] < 0 ? 1U : 0U) << i;
    return lanes;
#endif
}

template <class T>
inline Size count_lanes(unsigned lanes) noexcept {
    if constexpr (kLanes<T> > 4) return __builtin_popcount(lanes);
    return static_cast<Size>(0x4332322132212110ULL >> (4 * lanes) & 7);  // where popcount is no instruction
}

/// The lanes of v and their indices (first, first + 1 ...) to the ends of lists; their number. Writes whole vectors.
template <class T>
inline Size append(unsigned lanes, Vec<T> v, int first, T* values, int* indices) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        const auto mask = static_cast<__mmask16>(lanes);
        const VecI32 count = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        _mm512_storeu_ps(values, _mm512_maskz_compress_ps(mask, v));
        _mm512_storeu_si512(indices, _mm512_maskz_compress_epi32(mask, reinterpret_cast<__m512i>(count + first)));
    } else {
        const auto mask = static_cast<__mmask8>(lanes);
        typedef int Half __attribute__((vector_size(32)));
        const Half count = {0, 1, 2, 3, 4, 5, 6, 7};
        _mm512_storeu_pd(values, _mm512_maskz_compress_pd(mask, v));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(indices),
                            _mm256_maskz_compress_epi32(mask, reinterpret_cast<__m256i>(count + first)));
    }
    return count_lanes<T>(lanes);
#else
    T of[kLanes<T>];
    store(of, v);
    Size n = 0;
    for (; lanes != 0; lanes &= lanes - 1, ++n) {
        const int lane = __builtin_ctz(lanes);
        values[n] = of[lane];
        indices[n] = first + lane;
    }
    return n;
#endif
}

template <class T, Selection S, int NV>
bool select_panel(const Selector<T>& s, const T* y, Size n_rows, Size n_used, Size column,
                  const Chosen<T>& to) noexcept {
    constexpr Size n = kLanes<T>;
    constexpr Size width = NV * n;
    constexpr bool each = S == Selection::above_each || S == Selection::gated;
    Vec<T> bias[NV], scale[NV], threshold[NV];
    unsigned used[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
        bias[j] = load(s.bias + column + j * n);
        if constexpr (S == Selection::gated) scale[j] = load(s.scale + column + j * n);
        if constexpr (each) threshold[j] = load(s.threshold + column + j * n);
        const Size left = n_used - j * n;
        used[j] = left >= n ? (1U << n) - 1 : left > 0 ? (1U << left) - 1 : 0;
    }
    bool full = false;
    for (Size r = 0; r < n_rows; ++r, y += width) {
        Vec<T> z[NV];
        unsigned lanes[NV];
        unsigned some = 0;
        const Vec<T> least = splat(to.least[r]);
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) {
            const Vec<T> product = load(y + j * n);
            if constexpr (S == Selection::gated) {
                z[j] = scale[j] * product + bias[j];
                lanes[j] = lanes_above<T>(product, threshold[j]) & lanes_above<T>(z[j], Vec<T>{});
            } else {
                z[j] = product + bias[j];
                lanes[j] = lanes_above<T>(z[j], each ? threshold[j] : least);
            }
            lanes[j] &= used[j];
            some |= lanes[j];
        }
        if (some == 0) continue;
        Size count = to.counts[r];
        unsigned nan = 0;
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) {
            const Vec<T> value = z[j] + Vec<T>{};  // 0 for -0: they are equal, and ordered by their bits
            nan |= lanes[j] & lanes_of<T>(value != value);
            count += append<T>(lanes[j], value, static_cast<int>(column + j * n), to.values + r * to.ld + count,
                               to.indices + r * to.ld + count);
        }
        to.counts[r] = count;
        if (nan != 0) to.nan[r] = 1;
        full = full || count > to.limit;
    }
    return full;
}

template <class T, Selection S>
bool select_vectors(const Selector<T>& s, const T* y, Size n_rows, Size n_vec, Size n_used, Size column,
                    const Chosen<T>& to) noexcept {
    switch (n_vec) {
        case 1:
            return select_panel<T, S, 1>(s, y, n_rows, n_used, column, to);
        case 2:
            return select_panel<T, S, 2>(s, y, n_rows, n_used, column, to);
        default:
            return select_panel<T, S, 3>(s, y, n_rows, n_used, column, to);
    }
}

template <class T>
bool select(const Selector<T>& s, const T* y, Size n_rows, Size n_vec, Size n_used, Size column,
            const Chosen<T>& to) noexcept {
    switch (s.kind) {
        case Selection::above_each:
            return select_vectors<T, Selection::above_each>(s, y, n_rows, n_vec, n_used, column, to);
        case Selection::gated:
            return select_vectors<T, Selection::gated>(s, y, n_rows, n_vec, n_used, column, to);
        default:  // topk, too, is above a threshold, which keep_largest raises
            return select_vectors<T, Selection::above>(s, y, n_rows, n_vec, n_used, column, to);
    }
}

/// Integers in the order of the numbers that they are made of; its own inverse.
template <class T>
inline IntVec<T> ordered(IntVec<T> bits) noexcept {
    return bits ^ (spread_sign<T>(reinterpret_cast<Vec<T>>(bits)) & ~kSignBit<T>);
}

template <class T>
inline IntVec<T> load_keys(const T* p) noexcept {
    return reinterpret_cast<IntVec<T>>(load(p));
}

/// Moves the lanes of a vector of keys, as numbers, and their indices to the ends of lists; their number.
template <class T>
inline Size keep(unsigned lanes, IntVec<T> keys, const int* from, T* values, int* indices) noexcept {
    const auto numbers = reinterpret_cast<Vec<T>>(ordered<T>(keys));
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        const auto mask = static_cast<__mmask16>(lanes);
        _mm512_storeu_ps(values, _mm512_maskz_compress_ps(mask, numbers));
        _mm512_storeu_si512(indices, _mm512_maskz_compress_epi32(mask, _mm512_loadu_si512(from)));
    } else {
        const auto mask = static_cast<__mmask8>(lanes);
        const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        _mm512_storeu_pd(values, _mm512_maskz_compress_pd(mask, numbers));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(indices), _mm256_maskz_compress_epi32(mask, some));
    }
    return count_lanes<T>(lanes);
#else
    T of[kLanes<T>];
    store(of, numbers);
    Size n = 0;
    for (Size lane = 0; lane < kLanes<T>; ++lane) {  // without branches, which half of the time would go the other way
        values[n] = of[lane];
        indices[n] = from[lane];
        n += static_cast<Size>(lanes >> lane & 1);
    }
    return n;
#endif
}

/// Keys in values; a last vector that is not full is filled up. Their smallest and largest.
template <class T>
inline void make_keys(T* values, Size n, typename Simd<T>::IntLane& least, typename Simd<T>::IntLane& most) noexcept {
    constexpr Size lanes = kLanes<T>;
    const Size end = (n + lanes - 1) / lanes * lanes;
    for (Size i = n; i < end; ++i) values[i] = values[0];
    IntVec<T> low = ordered<T>(load_keys(values));
    IntVec<T> high = low;
    for (Size i = 0; i < end; i += lanes) {
        const IntVec<T> keys = ordered<T>(load_keys(values + i));
        low = keys < low ? keys : low;
        high = keys > high ? keys : high;
        store(values + i, reinterpret_cast<Vec<T>>(keys));
    }
    least = low[0];
    most = high[0];
    for (Size i = 1; i < lanes; ++i) {
        least = low[i] < least ? low[i] : least;
        most = high[i] > most ? high[i] : most;
    }
}

// The k-th largest is searched for between the smallest and the largest by halving, which ends as soon as k keys are
// above the middle: after some eight rounds, where no two numbers are near each other.
template <class T>
Size keep_largest(T* values, int* indices, Size n, Size k, T* least) noexcept {
    using Lane = typename Simd<T>::IntLane;
    using Bits = decltype(BitsVec<T>{}[0] + 0U);
    constexpr Size lanes = kLanes<T>;
    Lane low = 0;
    Lane high = 0;
    make_keys(values, n, low, high);
    if (low > kSignBit<T>) --low;
    const Size whole = n / lanes * lanes;
    const unsigned rest = (1U << (n - whole)) - 1;
    const auto above = [&](Size i, Lane bound) {
        const unsigned found = lanes_of<T>(load_keys(values + i) > IntVec<T>{} + bound);
        return i < whole ? found : found & rest;
    };
    Size over = 0;  // above `high`, never more than k; above `low` there are more
    while (static_cast<Bits>(high) - static_cast<Bits>(low) > 1 && over != k) {
        const Lane middle =
            static_cast<Lane>(static_cast<Bits>(low) + (static_cast<Bits>(high) - static_cast<Bits>(low)) / 2);
        Size count = 0;
        for (Size i = 0; i < n; i += lanes) count += count_lanes<T>(above(i, middle));
        if (count > k) {
            low = middle;
        } else {
            high = middle;
            over = count;
        }
    }
    Size equal = k - over;  // so many that equal `high` are kept, the first ones
    Size kept = 0;
    IntVec<T> smallest = IntVec<T>{} + ~kSignBit<T>;
    for (Size i = 0; i < n; i += lanes) {
        const IntVec<T> keys = load_keys(values + i);
        unsigned chosen = above(i, high);
        if (equal > 0) {
            unsigned same = lanes_of<T>(keys == IntVec<T>{} + high) & (i < whole ? ~0U : rest);
            for (; same != 0 && equal > 0; same &= same - 1, --equal) chosen |= same & (~same + 1);
        }
        smallest = ((keys > IntVec<T>{} + high) & (keys < smallest)) ? keys : smallest;
        kept += keep<T>(chosen, keys, indices + i, values + kept, indices + kept);
    }
    if (over < k) {
        *least = reinterpret_cast<Vec<T>>(ordered<T>(IntVec<T>{} + high))[0];
    } else {
        Lane last = smallest[0];
        for (Size i = 1; i < lanes; ++i) last = smallest[i] < last ? smallest[i] : last;
        *least = reinterpret_cast<Vec<T>>(ordered<T>(IntVec<T>{} + last))[0];
    }
    return kept;
}

}  // namespace
}  // namespace sae_fast
