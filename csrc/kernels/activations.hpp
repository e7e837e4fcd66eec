// What is asked of plain activations besides products: penalties on each of them, their share of deltas; ranges.
//
// Penalties: samples are rows, each with its row_weight, or columns, each with its column_weight (n_vec * lanes,);
// where both are null, all weigh 1.
#pragma once

#include "simd.hpp"

namespace sae_fast {
namespace {

/// The penalty of one vector of activations, and its derivative by them.
template <class T>
struct OnActivations {
    T l1;

    explicit OnActivations(const Penalty& penalty) noexcept : l1(static_cast<T>(penalty.l1)) {}
    Vec<T> value(Vec<T> a) const noexcept { return l1 * absolute<T>(a); }
    Vec<T> slope(Vec<T> a) const noexcept { return l1 * sign<T>(a); }
};

template <class T>
inline Vec<T> weight_at(const T* row_weight, const T* column_weight, Size r, Size j) noexcept {
    if (column_weight != nullptr) return load(column_weight + j);
    return splat(row_weight != nullptr ? row_weight[r] : T(1));
}

template <class T>
double activation_penalty(const Penalty& penalty, const T* a, Size n_rows, Size n_vec, Size n_used, const T* row_weight,
                          const T* column_weight) noexcept {
    constexpr Size n = kLanes<T>;
    const OnActivations<T> of(penalty);
    DoubleSum<T> total;
    for (Size r = 0; r < n_rows; ++r, a += n_vec * n)
        for (Size j = 0; j < n_used; j += n) {
            const Vec<T> some = n_used - j < n ? load_some(a + j, n_used - j) : load(a + j);
            total.add(weight_at(row_weight, column_weight, r, j) * of.value(some));
        }
    return total.value();
}

template <class T>
void activation_penalty_delta(const Penalty& penalty, T* d, const T* a, Size n_rows, Size n_vec, const T* row_weight,
                              const T* column_weight) noexcept {
    constexpr Size n = kLanes<T>;
    const OnActivations<T> of(penalty);
    for (Size r = 0; r < n_rows; ++r, a += n_vec * n, d += n_vec * n)
        for (Size j = 0; j < n_vec * n; j += n)
            store(d + j, load(d + j) + weight_at(row_weight, column_weight, r, j) * of.slope(load(a + j)));
}

template <class T>
void range_of_columns(const T* a, Size n_rows, Size n_vec, T* low, T* high) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    for (Size j = 0; j < width; j += n) {
        Vec<T> least = load(a + j);
        Vec<T> most = least;
        for (Size r = 1; r < n_rows; ++r) {
            const Vec<T> x = load(a + r * width + j);
            least = ((x < least) | (x != x)) ? x : least;  // a NaN stays: nothing is less than it
            most = ((x > most) | (x != x)) ? x : most;
        }
        store(low + j, least);
        store(high + j, most);
    }
}

}  // namespace
}  // namespace sae_fast
