// What happens to a panel of a product while it is still in cache: activation, means, error, deltas.
#pragma once

#include "losses.hpp"

namespace sae_fast {
namespace {

/// Rows for which a unit computes ahead (see units.hpp), and whose losses are summed in T before the sum goes to
/// double. In cycles a vector of AVX2, float32 / float64: hidden_forward of the sigmoid takes 8.5 / 13.4 so, and 10.1
/// / 15.3 row by row; output_delta 10.8 / 13.6, and 13.6 / 17.6.
constexpr Size kShortSum = 16;

/// U::ahead for the next rows of one vector.
template <class T, class U>
struct Ahead {
    alignas(64) T rows[U::goes_ahead ? kShortSum * kLanes<T> : 1];

    void compute(const T* z, Size width, Size n_rows, Vec<T> b) noexcept {
        if constexpr (U::goes_ahead)
            for (Size r = 0; r < n_rows; ++r) store(rows + r * kLanes<T>, U::ahead(load(z + r * width) + b));
    }
    Vec<T> of(Size r, Vec<T> z) const noexcept {
        if constexpr (U::goes_ahead)
            return load(rows + r * kLanes<T>);
        else
            return z;
    }
};

// Big are the units with s of at least 1/2: the sum of s is their number, or weight, and what all of them are beyond 0
// or 1; that of 1 - s likewise. At most half of a sum cancels.
template <class T, class U, bool Weighted>
void hidden_forward_as(T* z, Size n_rows, Size n_vec, const T* bias, const T* row_weight, T* sum_s, T* sum_c) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    Ahead<T, U> ahead;
    for (Size j = 0; j < width; j += n) {
        const Vec<T> b = load(bias + j);
        Vec<T> beyond{}, big{}, small{};
        IntVec<T> n_big{};
        for (Size r0 = 0; r0 < n_rows; r0 += kShortSum) {
            const Size some = n_rows - r0 < kShortSum ? n_rows - r0 : kShortSum;
            ahead.compute(z + r0 * width + j, width, some, b);
            for (Size r = 0; r < some; ++r) {
                T* at = z + (r0 + r) * width + j;
                const Vec<T> own = load(at) + b;
                const Hidden<T> h = U::hidden(own, ahead.of(r, own));
                store(at, h.stored);
                if constexpr (Weighted) {
                    const Vec<T> weight = splat(row_weight[r0 + r]);
                    beyond += weight * h.beyond;
                    big += sign_bit<T>(h.beyond) ? weight : Vec<T>{};
                    small += sign_bit<T>(h.beyond) ? Vec<T>{} : weight;
                } else {
                    beyond += h.beyond;
                    n_big -= spread_sign<T>(h.beyond);
                }
            }
        }
        if constexpr (!Weighted) {
            big = __builtin_convertvector(n_big, Vec<T>);
            small = static_cast<T>(n_rows) - big;
        }
        store(sum_s + j, big + beyond);
        store(sum_c + j, small - beyond);
    }
}

template <class T>
void hidden_forward(Unit u, T* z, Size n_rows, Size n_vec, const T* bias, const T* row_weight, T* sum_s,
                    T* sum_c) noexcept {
    with_unit<T>(u, [&](auto unit) {
        using U = decltype(unit);
        if (row_weight != nullptr)
            hidden_forward_as<T, U, true>(z, n_rows, n_vec, bias, row_weight, sum_s, sum_c);
        else
            hidden_forward_as<T, U, false>(z, n_rows, n_vec, bias, row_weight, sum_s, sum_c);
    });
}

// One copy of this code for one row and for many, whole vectors and edges: in two copies the compiler may contract a
// multiplication and an addition here and not there, and the last bit of a code would depend on its company.
template <class T, class U>
SAE_FAST_ONE_COPY void activate_as(const T* z, Size n_rows, Size n_vec, Size n_used, const T* bias, T* out,
                                   Size out_stride) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    for (Size j = 0; j < n_used; j += n) {
        const Vec<T> b = load(bias + j);
        const Size some = n_used - j;
        for (Size r = 0; r < n_rows; ++r) {
            const Vec<T> a = U::value(load(z + r * width + j) + b);
            if (some >= n)
                store(out + r * out_stride + j, a);
            else
                store_some(out + r * out_stride + j, a, some);
        }
    }
}

/// The same for one column: 8 rows of float32 with AVX2 are one vector, where 8 vectors of one element each would take
/// as long as 8 whole ones.
template <class T, class U>
void activate_column(const T* z, Size n_rows, Size width, T bias, T* out, Size out_stride) noexcept {
    constexpr Size n = kLanes<T>, most = 4 * n;
    alignas(64) T rows[most] = {}, same[n];
    store(same, splat(bias));
    for (Size r0 = 0; r0 < n_rows; r0 += most) {
        const Size some = n_rows - r0 < most ? n_rows - r0 : most;
        for (Size r = 0; r < some; ++r) rows[r] = z[(r0 + r) * width];
        activate_as<T, U>(rows, (some + n - 1) / n, Size(1), n, same, rows, n);
        for (Size r = 0; r < some; ++r) out[(r0 + r) * out_stride] = rows[r];
    }
}

template <class T>
void activate(Unit u, const T* z, Size n_rows, Size n_vec, Size n_used, const T* bias, T* out,
              Size out_stride) noexcept {
    const bool one = n_used % kLanes<T> == 1 && n_rows > 2;  // column behind whole vectors
    const Size n = n_used - (one ? 1 : 0);
    with_unit<T>(u, [&](auto unit) {
        using U = decltype(unit);
        activate_as<T, U>(z, n_rows, n_vec, n, bias, out, out_stride);
        if (one) activate_column<T, U>(z + n, n_rows, n_vec * kLanes<T>, bias[n], out + n, out_stride);
    });
}

template <class T>
void restore(Unit u, const T* stored, T* a, Size n_rows, Size n_vec) noexcept {
    with_unit<T>(u, [&](auto unit) {
        const Size all = n_rows * n_vec * kLanes<T>;
        for (Size i = 0; i < all; i += kLanes<T>) store(a + i, unit.restore(load(stored + i)));
    });
}

// z -> delta3 for one vector of columns; `used` masks columns beyond the matrix.
template <class T, class U, class L, bool Weighted, bool Masked>
Vec<T> output_delta_column(T* z, const T* X, Size x_stride, Size width, Size n_rows, Vec<T> b, Vec<T> used,
                           const T* row_weight, DoubleSum<T>& total) noexcept {
    Vec<T> sum{};
    Ahead<T, U> ahead;
    for (Size r0 = 0; r0 < n_rows; r0 += kShortSum) {
        const Size r1 = r0 + kShortSum < n_rows ? r0 + kShortSum : n_rows;
        Vec<T> losses{};
        if constexpr (U::goes_ahead)  // and X, which is not in the first-level cache, comes meanwhile
            for (Size r = r0; r < r1; ++r) __builtin_prefetch(X + r * x_stride, 0, 3);
        ahead.compute(z + r0 * width, width, r1 - r0, b);
        for (Size r = r0; r < r1; ++r) {
            T* at = z + r * width;
            const Vec<T> own = load(at) + b, x = load(X + r * x_stride);
            const T given = Weighted ? row_weight[r] : T(1);
            const Vec<T> weight = Masked ? given * used : splat(given);
            const Vec<T> delta = L::add(own, x, U::error(own, ahead.of(r - r0, own), x), weight, losses);
            sum += delta;
            store(at, delta);
        }
        total.add(losses);
    }
    return sum;
}

template <class T, class U, class L, bool Weighted>
double output_delta_as(T* z, const T* X, Size x_stride, Size n_rows, Size n_vec, Size n_used, const T* bias,
                       const T* row_weight, T* sum_delta) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    DoubleSum<T> total;
    for (Size j = 0; j < width; j += n) {
        Vec<T> used{};
        for (Size i = 0; i < n; ++i) used[i] = j + i < n_used ? T(1) : T(0);
        const auto column = j + n <= n_used ? &output_delta_column<T, U, L, Weighted, false>
                                            : &output_delta_column<T, U, L, Weighted, true>;
        store(sum_delta + j, column(z + j, X + j, x_stride, width, n_rows, load(bias + j), used, row_weight, total));
    }
    return total.value();
}

template <class T>
double output_delta(Unit u, Loss l, T* z, const T* X, Size x_stride, Size n_rows, Size n_vec, Size n_used,
                    const T* bias, const T* row_weight, T* sum_delta) noexcept {
    return with_output<T>(u, l, [&](auto unit, auto loss) {
        using U = decltype(unit);
        using L = decltype(loss);
        const auto run = row_weight != nullptr ? output_delta_as<T, U, L, true> : output_delta_as<T, U, L, false>;
        return run(z, X, x_stride, n_rows, n_vec, n_used, bias, row_weight, sum_delta);
    });
}

template <class T, class U>
void hidden_delta_as(T* d, const T* stored, Size n_rows, Size n_vec, const T* slope, const T* row_weight,
                     T* sum_delta) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    for (Size j = 0; j < width; j += n) {
        const Vec<T> k = load(slope + j);
        Vec<T> sum{};
        for (Size r = 0; r < n_rows; ++r) {
            T* at = d + r * width + j;
            const Vec<T> pull = row_weight != nullptr ? row_weight[r] * k : k;
            const Vec<T> delta = U::slope(load(stored + r * width + j)) * (load(at) + pull);
            sum += delta;
            store(at, delta);
        }
        store(sum_delta + j, sum);
    }
}

template <class T>
void hidden_delta(Unit u, T* d, const T* stored, Size n_rows, Size n_vec, const T* slope, const T* row_weight,
                  T* sum_delta) noexcept {
    with_unit<T>(u, [&](auto unit) {
        hidden_delta_as<T, decltype(unit)>(d, stored, n_rows, n_vec, slope, row_weight, sum_delta);
    });
}

}  // namespace
}  // namespace sae_fast
