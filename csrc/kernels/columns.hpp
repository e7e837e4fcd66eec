// What epilogues.hpp does, for panels whose rows are units and whose columns are samples. A weight of 0 marks columns
// that are padding.
#pragma once

#include "interleaved.hpp"
#include "losses.hpp"

namespace sae_fast {
namespace {

/// Sum of all lanes, in pairs of pairs.
template <class T>
inline T sum_in_pairs(Vec<T> v) noexcept {
    return sum_ways<T, static_cast<int>(kLanes<T>)>(v)[0];
}

template <class T, class U>
void hidden_columns_as(T* z, Size n_rows, Size n_vec, const T* bias, const T* weight, double* sum_s,
                       double* sum_c) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    for (Size r = 0; r < n_rows; ++r, z += width) {
        Vec<T> beyond{}, big{}, small{};
        for (Size j = 0; j < width; j += n) {
            const Vec<T> w = load(weight + j);
            const Vec<T> own = load(z + j) + bias[r];
            const Hidden<T> h = U::hidden(own, U::ahead(own));
            store(z + j, h.stored);
            beyond += w * h.beyond;
            big += sign_bit<T>(h.beyond) ? w : Vec<T>{};
            small += sign_bit<T>(h.beyond) ? Vec<T>{} : w;
        }
        sum_s[r] += static_cast<double>(sum_in_pairs<T>(big + beyond));
        sum_c[r] += static_cast<double>(sum_in_pairs<T>(small - beyond));
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
    DoubleSum<T> total;
    for (Size r = 0; r < n_rows; ++r, z += width, X += width) {
        Vec<T> sum{}, losses{};
        for (Size j = 0; j < width; j += n) {
            const Vec<T> at = load(z + j) + bias[r];
            const Vec<T> x = load(X + j);
            const Error<T> e = U::error(at, U::ahead(at), x);
            const Vec<T> delta = L::add(at, x, e, load(weight + j), losses);
            sum += delta;
            store(z + j, delta);
        }
        total.add(losses);
        sum_delta[r] += static_cast<double>(sum_in_pairs<T>(sum));
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
    for (Size r = 0; r < n_rows; ++r, d += width, stored += width) {
        Vec<T> sum{};
        for (Size j = 0; j < width; j += n) {
            const Vec<T> pull = load(weight + j) * slope[r];
            const Vec<T> delta = U::slope(load(stored + j)) * (load(d + j) + pull);
            sum += delta;
            store(d + j, delta);
        }
        sum_delta[r] += static_cast<double>(sum_in_pairs<T>(sum));
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
