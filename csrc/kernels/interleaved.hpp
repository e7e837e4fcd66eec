// The interleaved panel of a right operand that stands apart (see PanelSplit): a few columns beyond whole vectors cost
// what they are worth, since several rows share a vector. F = ways, a power of two up to the number of lanes.
#pragma once

#include "machine/machine.hpp"
#include "tile.hpp"

namespace sae_fast {
namespace {

/// F elements at p, again and again.
template <class T, int F>
inline Vec<T> repeat(const T* p) noexcept {
    if constexpr (F == kLanes<T>) {
        return load(p);
#if defined(__AVX2__)
    } else if constexpr (F * sizeof(T) == 8) {
        double pair;
        __builtin_memcpy(&pair, p, sizeof pair);
        return reinterpret_cast<Vec<T>>(splat(pair));
#endif
#if defined(__AVX512F__)
    } else if constexpr (F * sizeof(T) == 16) {
        return reinterpret_cast<Vec<T>>(
            _mm512_maskz_broadcast_f64x2(0xff, _mm_loadu_pd(reinterpret_cast<const double*>(p))));
    } else if constexpr (F * sizeof(T) == 32) {
        return reinterpret_cast<Vec<T>>(
            _mm512_maskz_broadcast_f64x4(0xff, _mm256_loadu_pd(reinterpret_cast<const double*>(p))));
#elif defined(__AVX2__)
    } else if constexpr (F * sizeof(T) == 16) {
        const __m128d half = _mm_loadu_pd(reinterpret_cast<const double*>(p));
        return reinterpret_cast<Vec<T>>(_mm256_insertf128_pd(_mm256_castpd128_pd256(half), half, 1));
#endif
    } else {
        Vec<T> v{};
#pragma GCC unroll 16
        for (int l = 0; l < static_cast<int>(kLanes<T>); ++l) v[l] = p[l % F];
        return v;
    }
}

/// Sums of neighbours within groups of lanes: those of a in the first half of each group, those of b in the second one.
template <class T, int Group = static_cast<int>(kLanes<T>)>
inline Vec<T> sum_pairs(Vec<T> a, Vec<T> b) noexcept {
    constexpr int n = static_cast<int>(kLanes<T>);
    IntVec<T> at{};
#pragma GCC unroll 16
    for (int l = 0; l < n; ++l)
        at[l] = (l % Group < Group / 2 ? 0 : n) + l / Group * Group + 2 * (l % Group % (Group / 2));
#if defined(__clang__)
    Vec<T> even{}, odd{};
    for (int l = 0; l < n; ++l) {
        even[l] = at[l] < n ? a[at[l]] : b[at[l] - n];
        odd[l] = at[l] < n ? a[at[l] + 1] : b[at[l] + 1 - n];
    }
    return even + odd;
#else
    return __builtin_shuffle(a, b, at) + __builtin_shuffle(a, b, at + 1);
#endif
}

/// Lanes 0, 2, 4, ... plus lanes 1, 3, 5, ..., in the first half.
template <class T>
inline Vec<T> sum_pairs(Vec<T> v) noexcept {
    constexpr int n = static_cast<int>(kLanes<T>);
    Vec<T> even{}, odd{};
#if defined(__clang__)
    for (int l = 0; l < n / 2; ++l) {
        even[l] = v[2 * l];
        odd[l] = v[2 * l + 1];
    }
#else
    IntVec<T> at{};
#pragma GCC unroll 16
    for (int l = 0; l < n / 2; ++l) at[l] = 2 * l;
    even = __builtin_shuffle(v, at);
    odd = __builtin_shuffle(v, at + 1);
#endif
    return even + odd;
}

template <class T, int F>
inline Vec<T> sum_ways(Vec<T> v) noexcept {
#pragma GCC unroll 4
    for (int f = F; f > 1; f /= 2) v = sum_pairs<T>(v);
    return v;
}

/// Pairs of the lanes of R vectors, and pairs of these sums, until all are in one vector. R: a power of two.
template <class T, int R>
inline Vec<T> sum_tree(const Vec<T>* v) noexcept {
    if constexpr (R == 1)
        return v[0];
    else
        return sum_pairs<T>(sum_tree<T, R / 2>(v), sum_tree<T, R / 2>(v + R / 2));
}

/// sum_ways of R rows at once, R a power of two and at most F, with as many steps as one row takes: what belongs to
/// row i begins in lane i * lanes / F.
template <class T, int F, int R>
inline Vec<T> sum_ways_of_rows(const Vec<T>* v) noexcept {
    return sum_ways<T, F / R>(sum_tree<T, R>(v));
}

/// Lanes By ... first, whatever comes behind them.
template <class T, int By>
inline Vec<T> move_down(Vec<T> v) noexcept {
    constexpr int n = static_cast<int>(kLanes<T>);
#if defined(__clang__)
    Vec<T> moved{};
    for (int l = 0; l < n; ++l) moved[l] = v[(l + By) % n];
    return moved;
#else
    IntVec<T> at{};
#pragma GCC unroll 16
    for (int l = 0; l < n; ++l) at[l] = (l + By) % n;
    return __builtin_shuffle(v, at);
#endif
}

template <class T, int F, int R, int I = 0>
inline void store_moved(Vec<T> sums, T* C) noexcept {
    if constexpr (I < R) {
        constexpr int n = static_cast<int>(kLanes<T>);
        store(C + I * n, move_down<T, I * n / F>(sums));
        store_moved<T, F, R, I + 1>(sums, C);
    }
}

/// C (R, one vector) = sum_ways of each row, and whatever in the lanes behind.
template <class T, int F, int R>
inline void store_sums(const Vec<T>* v, T* C) noexcept {
    constexpr int tree = F < R ? F : R;
    constexpr int rows = tree >= 8 ? 8 : tree >= 4 ? 4 : tree >= 2 ? 2 : 1;
    store_moved<T, F, rows>(sum_ways_of_rows<T, F, rows>(v), C);
    if constexpr (R > rows) store_sums<T, F, R - rows>(v + rows, C + rows * kLanes<T>);
}

/// acc[i] += F elements from k on of row i, times one vector of B.
template <class T, int R, int F>
inline void interleaved_step(const T* const (&rows)[R], Size k, const T* b, Vec<T> (&acc)[R]) noexcept {
    const Vec<T> right = load(b);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) acc[i] = multiply_add<T>(repeat<T, F>(rows[i] + k), right, acc[i]);
}

/// The first n < F elements at p, zeros behind them, again and again: nothing behind them is read, for it may be NaN.
template <class T, int F>
inline Vec<T> repeat_some(const T* p, Size n) noexcept {
    if constexpr (F == kLanes<T>) return load_some(p, n);
    alignas(64) T left[F] = {};
    for (Size j = 0; j < n; ++j) left[j] = p[j];
    return repeat<T, F>(left);
}

/// The same for the n_k < F elements that end a row: nothing behind it is multiplied, for it may be NaN.
template <class T, int R, int F>
inline void interleaved_end(const T* const (&rows)[R], Size k, Size n_k, const T* b, Vec<T> (&acc)[R]) noexcept {
    const Vec<T> right = load(b);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) acc[i] = multiply_add<T>(repeat_some<T, F>(rows[i] + k, n_k), right, acc[i]);
}

/// Two chains an element and row, those of the even and of the odd vectors of B; `odd_first` tells which one b is.
template <class T, int R, int F>
SAE_FAST_INLINE void interleaved_product(const T* a, Size a_stride, Size n_k, const T* b, bool odd_first,
                                         Vec<T> (&even)[R], Vec<T> (&odd)[R]) noexcept {
    constexpr Size n = kLanes<T>;
    const T* rows[R];
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) rows[i] = a + i * a_stride;
    Size k = 0;
    if (odd_first && n_k >= F) {
        interleaved_step<T, R, F>(rows, k, b, odd);
        k += F;
        b += n;
    }
    for (; k + 2 * F <= n_k; k += 2 * F, b += 2 * n) {
        interleaved_step<T, R, F>(rows, k, b, even);
        interleaved_step<T, R, F>(rows, k + F, b + n, odd);
    }
    bool even_next = !odd_first || k > 0;
    if (k + F <= n_k) {
        interleaved_step<T, R, F>(rows, k, b, even);
        k += F;
        b += n;
        even_next = false;
    }
    if (k == n_k) return;
    if (even_next)  // and no pointer to one or the other, so that both may stay in registers
        interleaved_end<T, R, F>(rows, k, n_k - k, b, even);
    else
        interleaved_end<T, R, F>(rows, k, n_k - k, b, odd);
}

/// Some panels of the left operand, as an interleaved panel of the right one meets them.
struct InterleavedPart {
    Panels panels;
    Size begin, end;  // columns
    Size n_wide, wide, rest;
    bool first, last;

    SAE_FAST_INLINE InterleavedPart(const PanelSplit& split, Panels part) noexcept
        : panels(part),
          begin(split.offset(part.begin)),
          end(part.end == split.count() ? split.n : split.offset(part.end)),
          n_wide(split.n_wide + split.n_rest),
          wide(split.n_wide),
          rest(split.rest * split.lanes),
          first(part.begin == 0),
          last(part.end == split.count()) {}
};

/// One row tile of `product` for an interleaved panel, over one part; B is that of the part. Between parts C holds the
/// sum of the chains so far, still interleaved.
template <class T, int R, int F>
inline void interleaved_tile(const Left<T>& A, Size row, const InterleavedPart& part, const T* B, T* C) noexcept {
    constexpr Size n = kLanes<T>;
    Vec<T> even[R], odd[R];
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
        even[i] = part.first ? Vec<T>{} : load(C + i * n);
        odd[i] = Vec<T>{};
    }
    if (A.ld > 0) {
        interleaved_product<T, R, F>(A.data + (A.row0 + row) * A.ld + part.begin, A.ld, part.end - part.begin, B,
                                     part.begin / F % 2 != 0, even, odd);
    } else {
        const T* b = B;
        Size at = part.begin;
        for (Size p = part.panels.begin; p < part.panels.end; ++p) {
            const Size width = p < part.wide ? 3 * n : p < part.n_wide ? part.rest : n;
            const Size used = part.end - at < width ? part.end - at : width;
            interleaved_product<T, R, F>(A.data + at * A.capacity + (A.row0 + row) * width, width, used, b,
                                         at / F % 2 != 0, even, odd);
            at += width;
            b += width / F * n;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) even[i] += odd[i];
    if (part.last) return store_sums<T, F, R>(even, C);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) store(C + i * n, even[i]);
}

/// The tiles of R rows from row r on, then those of half as many, and so on.
template <class T, int F, int R>
inline void interleaved_rows(const Left<T>& A, Size r, Size n_rows, const InterleavedPart& part, bool asks, const T* B,
                             T* C) noexcept {
    for (; r + R <= n_rows; r += R) {
        if (asks) {
            prefetch<0>(A.ask, r, R);
            prefetch<1>(A.ask_out, r, R);
        }
        interleaved_tile<T, R, F>(A, r, part, B, C + r * kLanes<T>);
    }
    if constexpr (R > 1) interleaved_rows<T, F, R / 2>(A, r, n_rows, part, asks, B, C);
}

template <class T, int F>
struct InterleavedPanel {
    static void run(const Left<T>* given, Size n_rows, const PanelSplit* split, Panels part, const T* B,
                    T* C) noexcept {
        const Left<T> A = *given;  // so that the compiler knows that no result is written over it
        for (Panels p = part; p.begin < part.end; p.begin = p.end) {
            p = split->part(p.begin, kPartColumns, part.end);
            const InterleavedPart columns(*split, p);
            interleaved_rows<T, F, kTileRows>(A, 0, n_rows, columns, p.begin == part.begin,
                                              B + columns.begin / F * kLanes<T>, C);
        }
    }
};

// Calls F::run(...) with `ways` (2 ... lanes) known to the compiler.
template <class T, template <class, int> class F, class... Args>
inline void with_ways(Size ways, Args... args) noexcept {
    switch (ways) {
        case 2:
            return F<T, 2>::run(args...);
        case 4:
            if constexpr (kLanes<T> >= 4) return F<T, 4>::run(args...);
            break;
        case 8:
            if constexpr (kLanes<T> >= 8) return F<T, 8>::run(args...);
            break;
        default:
            if constexpr (kLanes<T> >= 16) return F<T, 16>::run(args...);
    }
    __builtin_unreachable();
}

/// `ways` neighbours at a time, of n_cols sequences that are ld apart: to[c * ways + i] = src[c * ld + i].
template <class T, int F>
struct Side {
    static void run(const T* src, Size ld, Size n_cols, T* to) noexcept {
        for (Size c = 0; c < n_cols; ++c) __builtin_memcpy(to + c * F, src + c * ld, F * sizeof(T));
    }
};

/// a[0], b[0], a[1], b[1], ...
template <class T>
inline Vec<T> interleave(Vec<T> a, Vec<T> b) noexcept {
    constexpr int n = static_cast<int>(kLanes<T>);
#if defined(__clang__)
    Vec<T> v{};
    for (int l = 0; l < n; ++l) v[l] = l % 2 == 0 ? a[l / 2] : b[l / 2];
    return v;
#else
    IntVec<T> at{};
#pragma GCC unroll 16
    for (int l = 0; l < n; ++l) at[l] = l / 2 + (l % 2 != 0 ? n : 0);
    return __builtin_shuffle(a, b, at);
#endif
}

/// The first n_cols elements of F rows that are ld apart, interleaved.
template <class T, int F>
inline Vec<T> interleave_rows(const T* src, Size ld, Size n_cols) noexcept {
    if constexpr (F == 1)
        return load_some(src, n_cols);
    else
        return interleave<T>(interleave_rows<T, F / 2>(src, 2 * ld, n_cols),
                             interleave_rows<T, F / 2>(src + ld, 2 * ld, n_cols));
}

template <class T, int F>
struct InterleaveRows {
    static void run(const T* src, Size ld, Size n_cols, T* to) noexcept {
        store(to, interleave_rows<T, F>(src, ld, n_cols));
    }
};

/// One interleaved vector of n_cols columns and up to `ways` of n_k rows: element (k, c) is src[k * row_stride + c *
/// column_stride]; one of the strides is 1.
template <class T>
inline void interleave_vector(const T* src, Size row_stride, Size column_stride, Size n_k, Size n_cols, Size ways,
                              T* to) noexcept {
    if (column_stride == 1 && n_k >= ways) return with_ways<T, InterleaveRows>(ways, src, row_stride, n_cols, to);
    store(to, Vec<T>{});
    if (row_stride == 1 && n_k >= ways) return with_ways<T, Side>(ways, src, column_stride, n_cols, to);
    const Size n = n_k < ways ? n_k : ways;
    for (Size i = 0; i < n; ++i)
        for (Size c = 0; c < n_cols; ++c) to[c * ways + i] = src[i * row_stride + c * column_stride];
}

/// n_cols columns of n_k rows, interleaved.
template <class T>
inline void pack_interleaved(const T* src, Size row_stride, Size column_stride, Size n_k, Size n_cols, Size ways,
                             T* to) noexcept {
    for (Size k = 0; k < n_k; k += ways, to += kLanes<T>)
        interleave_vector(src + k * row_stride, row_stride, column_stride, n_k - k, n_cols, ways, to);
}

}  // namespace
}  // namespace sae_fast
