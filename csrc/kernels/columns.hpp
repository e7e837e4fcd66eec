// What epilogues.hpp does, for panels whose rows are units and whose columns are samples. A weight of 0 marks columns
// that are padding.
#pragma once

#include "epilogues.hpp"
#include "interleaved.hpp"

namespace sae_fast {
namespace {

/// The lanes of N vectors, each summed in pairs of pairs until there are N numbers for each vector's lanes divided by
/// N.
template <class T, int N>
inline Vec<T> sum_vectors(const T* rows) noexcept {
    if constexpr (N == 1)
        return load(rows);
    else
        return sum_pairs<T>(sum_vectors<T, N / 2>(rows), sum_vectors<T, N / 2>(rows + N / 2 * kLanes<T>));
}

/// Rows of columns, some at a time: what is long in their units is computed ahead for all of them, and the lanes of
/// their sums are added together.
template <class T>
struct RowSums {
    static constexpr Size most = 16;
    alignas(64) T rows[most * kLanes<T>];

    void set(Size r, Vec<T> sum) noexcept { store(rows + r * kLanes<T>, sum); }
    /// to[r] += the sum of row r.
    void add_to(double* to, Size n_rows) noexcept {
        constexpr Size n = kLanes<T>;
        for (Size r = n_rows; r % n != 0; ++r) set(r, Vec<T>{});
        for (Size r0 = 0; r0 < n_rows; r0 += n) {
            alignas(64) T sums[n];
            store(sums, sum_vectors<T, static_cast<int>(n)>(rows + r0 * n));
            for (Size r = r0; r < n_rows && r < r0 + n; ++r) to[r] += static_cast<double>(sums[r - r0]);
        }
    }
};

/// Rows of n_vec vectors of which kShortSum are the first part of a sum.
inline Size rows_at_once(Size n_vec) noexcept { return n_vec < kShortSum ? kShortSum / n_vec : 1; }

/// The first part of what a unit makes of some rows, with their biases.
template <class T, class U>
struct AheadOfRows {
    alignas(64) T parts[U::goes_ahead ? kShortSum * kLanes<T> : 1];

    void compute(const T* z, Size n_rows, Size n_vec, const T* bias) noexcept {
        if constexpr (U::goes_ahead) {
            T* to = parts;
            for (Size r = 0; r < n_rows; ++r)
                for (Size v = 0; v < n_vec; ++v, z += kLanes<T>, to += kLanes<T>)
                    store(to, U::ahead(load(z) + bias[r]));
        }
    }
    Vec<T> of(Size i, Vec<T> z) const noexcept {
        if constexpr (U::goes_ahead)
            return load(parts + i);
        else
            return z;
    }
};

template <class T, class U>
void hidden_columns_as(T* z, Size n_rows, Size n_vec, const T* bias, const T* weight, double* sum_s,
                       double* sum_c) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    AheadOfRows<T, U> ahead;
    RowSums<T> s, c;
    for (Size r0 = 0; r0 < n_rows; r0 += rows_at_once(n_vec)) {
        const Size some = n_rows - r0 < rows_at_once(n_vec) ? n_rows - r0 : rows_at_once(n_vec);
        ahead.compute(z, some, n_vec, bias + r0);
        Size i = 0;
        for (Size r = 0; r < some; ++r) {
            Vec<T> beyond{}, big{}, small{};
            for (Size j = 0; j < width; j += n, i += n) {
                const Vec<T> w = load(weight + j);
                const Vec<T> own = load(z + i) + bias[r0 + r];
                const Hidden<T> h = U::hidden(own, ahead.of(i, own));
                store(z + i, h.stored);
                beyond += w * h.beyond;
                big += sign_bit<T>(h.beyond) ? w : Vec<T>{};
                small += sign_bit<T>(h.beyond) ? Vec<T>{} : w;
            }
            s.set(r, big + beyond);
            c.set(r, small - beyond);
        }
        s.add_to(sum_s + r0, some);
        c.add_to(sum_c + r0, some);
        z += some * width;
    }
}

template <class T>
void hidden_columns(Unit u, T* z, Size n_rows, Size n_vec, const T* bias, const T* weight, double* sum_s,
                    double* sum_c) noexcept {
    with_unit<T>(
        u, [&](auto unit) { hidden_columns_as<T, decltype(unit)>(z, n_rows, n_vec, bias, weight, sum_s, sum_c); });
}

template <class T, class U, class L>
double output_columns_as(T* z, const T* X, Size n_rows, Size n_vec, const T* bias, const T* weight,
                         double* sum_delta) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    AheadOfRows<T, U> ahead;
    RowSums<T> deltas;
    DoubleSum<T> total;
    for (Size r0 = 0; r0 < n_rows; r0 += rows_at_once(n_vec)) {
        const Size some = n_rows - r0 < rows_at_once(n_vec) ? n_rows - r0 : rows_at_once(n_vec);
        ahead.compute(z, some, n_vec, bias + r0);
        Size i = 0;
        for (Size r = 0; r < some; ++r) {
            Vec<T> sum{}, losses{};
            for (Size j = 0; j < width; j += n, i += n) {
                const Vec<T> at = load(z + i) + bias[r0 + r];
                const Vec<T> x = load(X + i);
                const Error<T> e = U::error(at, ahead.of(i, at), x);
                const Vec<T> delta = L::add(at, x, e, load(weight + j), losses);
                sum += delta;
                store(z + i, delta);
            }
            total.add(losses);
            deltas.set(r, sum);
        }
        deltas.add_to(sum_delta + r0, some);
        z += some * width;
        X += some * width;
    }
    return total.value();
}

template <class T>
double output_columns(Unit u, Loss l, T* z, const T* X, Size n_rows, Size n_vec, const T* bias, const T* weight,
                      double* sum_delta) noexcept {
    return with_output<T>(u, l, [&](auto unit, auto loss) {
        return output_columns_as<T, decltype(unit), decltype(loss)>(z, X, n_rows, n_vec, bias, weight, sum_delta);
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
