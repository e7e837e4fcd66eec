// What epilogues.hpp does, for panels whose rows are units and whose columns are samples. A weight of 0 marks columns
// that are padding.
#pragma once

#include "epilogues.hpp"
#include "interleaved.hpp"

namespace sae_fast {
namespace {

/// The sums of both halves of a, and then those of both halves of b.
template <class T>
inline Vec<T> sum_halves(Vec<T> a, Vec<T> b) noexcept {
    constexpr int n = static_cast<int>(kLanes<T>);
    IntVec<T> at{};
#pragma GCC unroll 16
    for (int l = 0; l < n; ++l) at[l] = l < n / 2 ? l : l + n / 2;
#if defined(__clang__)
    Vec<T> low{}, high{};
    for (int l = 0; l < n; ++l) {
        low[l] = l < n / 2 ? a[l] : b[l - n / 2];
        high[l] = l < n / 2 ? a[l + n / 2] : b[l];
    }
    return low + high;
#else
    return __builtin_shuffle(a, b, at) + __builtin_shuffle(a, b, at + n / 2);
#endif
}

/// The lanes of N vectors, each summed in pairs of pairs until there are N numbers for each vector's lanes divided by
/// N. AVX2 has shuffles of two vectors within groups of 16 bytes alone.
template <class T, int N>
inline Vec<T> sum_vectors(const T* rows) noexcept {
    constexpr int n = static_cast<int>(kLanes<T>);
    constexpr int group = SAE_FAST_VECTOR_BYTES == 32 ? n / 2 : n;
    if constexpr (N == 1) {
        return load(rows);
    } else {
        const Vec<T> a = sum_vectors<T, N / 2>(rows), b = sum_vectors<T, N / 2>(rows + N / 2 * n);
        if constexpr (N > group)
            return sum_halves<T>(a, b);
        else
            return sum_pairs<T, group>(a, b);
    }
}

/// Rows of columns, a block of them: the lanes of their sums are added together.
template <class T>
struct RowSums {
    static constexpr Size most = kUnitBlock;
    alignas(64) T rows[most * kLanes<T>];

    void set(Size r, Vec<T> sum) noexcept { store(rows + r * kLanes<T>, sum); }
    /// to[r] += the sum of row r.
    void add_to(double* to, Size n_rows) noexcept {
        constexpr Size n = kLanes<T>, some = n < most ? n : most;
        for (Size r = n_rows; r < most; ++r) set(r, Vec<T>{});
        alignas(64) T sums[most < n ? n : most];
#pragma GCC unroll 8
        for (Size r = 0; r < most; r += some) {
            Vec<T> v = sum_vectors<T, static_cast<int>(some)>(rows + r * n);
            for (Size left = n / some; left > 1; left /= 2) v = sum_pairs<T>(v);
            store(sums + r, v);
        }
        if (n_rows == most)
            for (Size r = 0; r < most; ++r) to[r] += static_cast<double>(sums[r]);
        else
            for (Size r = 0; r < n_rows; ++r) to[r] += static_cast<double>(sums[r]);
    }
};

/// Rows of n_vec vectors of which kShortSum are the first part of a sum; a block has whole ones.
inline Size rows_at_once(Size n_vec) noexcept { return n_vec <= 2 ? kUnitBlock : kUnitBlock / 2; }
static_assert(2 * kUnitBlock == kShortSum && kSampleVectors <= 4);

/// The first part of what a unit makes of some rows, with their biases.
template <class T, class U>
struct AheadOfRows {
    alignas(64) T parts[U::goes_ahead ? kShortSum * kLanes<T> : 1];

    void compute(const T* z, Size n_rows, Size n_vec, const T* bias) noexcept {
        if constexpr (U::goes_ahead) {
            T* to = parts;
            for (Size r = 0; r < n_rows; ++r) {
                const Vec<T> b = splat(bias[r]);
                for (Size v = 0; v < n_vec; ++v, z += kLanes<T>, to += kLanes<T>) store(to, U::ahead(load(z) + b));
            }
        }
    }
    Vec<T> of(const T* part, Vec<T> z) const noexcept {
        if constexpr (U::goes_ahead)
            return load(part);
        else
            return z;
    }
};

template <class T, class U>
void hidden_columns_as(T* z, T* a, Size n_rows, Size n_vec, const T* bias, const T* weight, double* sum_s,
                       double* sum_c) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    AheadOfRows<T, U> ahead;
    RowSums<T> s, c;
    for (Size block = 0; block < n_rows; block += kUnitBlock) {
        const Size end = n_rows - block < kUnitBlock ? n_rows : block + kUnitBlock;
        for (Size r0 = block; r0 < end; r0 += rows_at_once(n_vec)) {
            const Size some = end - r0 < rows_at_once(n_vec) ? end - r0 : rows_at_once(n_vec);
            ahead.compute(z, some, n_vec, bias + r0);
            const T* early = ahead.parts;
            for (Size r = r0; r < r0 + some; ++r, z += width, a += width, early += width) {
                Vec<T> beyond{}, big{}, small{};
                const Vec<T> b = splat(bias[r]);
                for (Size j = 0; j < width; j += n) {
                    const Vec<T> w = load(weight + j);
                    const Vec<T> own = load(z + j) + b;
                    const Hidden<T> h = U::hidden(own, ahead.of(early + j, own));
                    store(z + j, h.stored);
                    store(a + j, U::restore(h.stored));
                    beyond += w * h.beyond;
                    big += sign_bit<T>(h.beyond) ? w : Vec<T>{};
                    small += sign_bit<T>(h.beyond) ? Vec<T>{} : w;
                }
                s.set(r - block, big + beyond);
                c.set(r - block, small - beyond);
            }
        }
        s.add_to(sum_s + block, end - block);
        c.add_to(sum_c + block, end - block);
    }
}

template <class T>
void hidden_columns(Unit u, T* z, T* a, Size n_rows, Size n_vec, const T* bias, const T* weight, double* sum_s,
                    double* sum_c) noexcept {
    with_unit<T>(
        u, [&](auto unit) { hidden_columns_as<T, decltype(unit)>(z, a, n_rows, n_vec, bias, weight, sum_s, sum_c); });
}

template <class T, class U, class L>
void output_columns_as(T* z, const T* X, Size n_rows, Size n_vec, const T* bias, const T* weight, double* sum_delta,
                       double* losses) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    AheadOfRows<T, U> ahead;
    RowSums<T> deltas;
    for (Size block = 0; block < n_rows; block += kUnitBlock) {
        const Size end = n_rows - block < kUnitBlock ? n_rows : block + kUnitBlock;
        DoubleSum<T> total;
        for (Size r0 = block; r0 < end; r0 += rows_at_once(n_vec)) {
            const Size some = end - r0 < rows_at_once(n_vec) ? end - r0 : rows_at_once(n_vec);
            ahead.compute(z, some, n_vec, bias + r0);
            const T* early = ahead.parts;
            Vec<T> loss{};
            for (Size r = r0; r < r0 + some; ++r, z += width, X += width, early += width) {
                Vec<T> sum{};
                const Vec<T> b = splat(bias[r]);
                for (Size j = 0; j < width; j += n) {
                    const Vec<T> at = load(z + j) + b;
                    const Vec<T> x = load(X + j);
                    const Error<T> e = U::error(at, ahead.of(early + j, at), x);
                    const Vec<T> delta = L::add(at, x, e, load(weight + j), loss);
                    sum += delta;
                    store(z + j, delta);
                }
                deltas.set(r - block, sum);
            }
            total.add(loss);
        }
        deltas.add_to(sum_delta + block, end - block);
        losses[block / kUnitBlock] += total.value();
    }
}

template <class T>
void output_columns(Unit u, Loss l, T* z, const T* X, Size n_rows, Size n_vec, const T* bias, const T* weight,
                    double* sum_delta, double* losses) noexcept {
    with_output<T>(u, l, [&](auto unit, auto loss) {
        output_columns_as<T, decltype(unit), decltype(loss)>(z, X, n_rows, n_vec, bias, weight, sum_delta, losses);
    });
}

template <class T, class U>
void hidden_delta_columns_as(T* d, const T* stored, Size n_rows, Size n_vec, const T* slope, const T* weight,
                             double* sum_delta) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    RowSums<T> deltas;
    for (Size r0 = 0; r0 < n_rows; r0 += RowSums<T>::most) {
        const Size some = n_rows - r0 < RowSums<T>::most ? n_rows - r0 : RowSums<T>::most;
        for (Size r = 0; r < some; ++r, d += width, stored += width) {
            Vec<T> sum{};
            for (Size j = 0; j < width; j += n) {
                const Vec<T> pull = load(weight + j) * slope[r0 + r];
                const Vec<T> delta = U::slope(load(stored + j)) * (load(d + j) + pull);
                sum += delta;
                store(d + j, delta);
            }
            deltas.set(r, sum);
        }
        deltas.add_to(sum_delta + r0, some);
    }
}

template <class T>
void hidden_delta_columns(Unit u, T* d, const T* stored, Size n_rows, Size n_vec, const T* slope, const T* weight,
                          double* sum_delta) noexcept {
    with_unit<T>(u, [&](auto unit) {
        hidden_delta_columns_as<T, decltype(unit)>(d, stored, n_rows, n_vec, slope, weight, sum_delta);
    });
}

}  // namespace
}  // namespace sae_fast
