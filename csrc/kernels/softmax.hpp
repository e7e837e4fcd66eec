// Softmax of rows that lie in panels, its loss and delta; and the same for panels whose columns are samples.
//
// With top = max z and rest = sum of exp(z_j - top) over all but one that reaches top, the sum of a row is 1 + rest:
//   -log p_y = (top - z_y) + log1p(rest),   p_j = exp(z_j - top) / (1 + rest),   p_y - 1 = -(sum without y) / (1 +
//   rest)
// No difference of nearly equal numbers is left, so each keeps its relative precision where p_y rounds to 1.
#pragma once

#include "elementary.hpp"

namespace sae_fast {
namespace {

/// A row of panels: element c of its matrix.
template <class T>
inline T* element(T* panels, const PanelSplit& split, Size capacity, Size row, Size c) noexcept {
    const Size p = split.panel_of(c);
    return panels + split.offset(p) * capacity + row * split.width(p) + (c - split.offset(p));
}

/// z += bias in one row, -inf beyond the matrix; returns the largest.
template <class T>
T add_bias(T* panels, const PanelSplit& split, Size capacity, Size row, const T* bias) noexcept {
    constexpr Size n = kLanes<T>;
    const Vec<T> lowest = splat(-static_cast<T>(__builtin_inf()));
    Vec<T> top = lowest;
    for (Size p = 0; p < split.count(); ++p) {
        T* z = panels + split.offset(p) * capacity + row * split.width(p);
        for (Size j = 0; j < split.width(p); j += n) {
            Vec<T> x = load(z + j) + load(bias + split.offset(p) + j);
            for (Size i = split.used(p) - j; i < n; ++i) x[i] = lowest[0];
            store(z + j, x);
            top = maximum<T>(top, x);
        }
    }
    T largest = top[0];
    for (Size i = 1; i < n; ++i) largest = top[i] > largest ? top[i] : largest;
    return largest;
}

/// z -> exp(z - top) in one row; returns rest.
template <class T>
double exponentials(T* panels, const PanelSplit& split, Size capacity, Size row, T top) noexcept {
    constexpr Size n = kLanes<T>;
    Vec<T> sum{}, at_top{};
    for (Size p = 0; p < split.count(); ++p) {
        T* z = panels + split.offset(p) * capacity + row * split.width(p);
        for (Size j = 0; j < split.width(p); j += n) {
            const Vec<T> x = load(z + j);
            const Vec<T> e = exp_negative<T>(x - top);
            sum += x == top ? Vec<T>{} : e;
            at_top += x == top ? splat(T(1)) : Vec<T>{};
            store(z + j, e);
        }
    }
    return sum_lanes<T>(sum) + (sum_lanes<T>(at_top) - 1);
}

/// The row times a factor.
template <class T>
inline void scale_row(T* panels, const PanelSplit& split, Size capacity, Size row, T factor) noexcept {
    for (Size p = 0; p < split.count(); ++p) {
        T* e = panels + split.offset(p) * capacity + row * split.width(p);
        for (Size j = 0; j < split.width(p); j += kLanes<T>) store(e + j, factor * load(e + j));
    }
}

template <class T>
void softmax(T* panels, Size capacity, Size row0, Size n_rows, Size n_cols, const T* bias) noexcept {
    const PanelSplit split(n_cols, kVector<T>);
    for (Size r = row0; r < row0 + n_rows; ++r) {
        const T top = add_bias(panels, split, capacity, r, bias);
        const double rest = exponentials(panels, split, capacity, r, top);
        scale_row(panels, split, capacity, r, static_cast<T>(1 / (1 + rest)));
    }
}

template <class T>
double softmax_delta(T* panels, Size capacity, Size row0, Size n_rows, Size n_cols, const T* bias, const Size* labels,
                     const T* row_weight, T* sum_delta) noexcept {
    const PanelSplit split(n_cols, kVector<T>);
    for (Size j = 0; j < split.padded(); ++j) sum_delta[j] = T(0);
    double loss = 0;
    for (Size i = 0; i < n_rows; ++i) {
        const Size r = row0 + i;
        const double weight = row_weight == nullptr ? 1 : static_cast<double>(row_weight[i]);
        T* of_label = element(panels, split, capacity, r, labels[i]);
        const T top = add_bias(panels, split, capacity, r, bias);
        const double below = static_cast<double>(top) - static_cast<double>(*of_label);
        const double rest = exponentials(panels, split, capacity, r, top);
        loss += weight * (below + __builtin_log1p(rest));
        const double others = below == 0 ? rest : 1 + (rest - static_cast<double>(*of_label));
        scale_row(panels, split, capacity, r, static_cast<T>(weight / (1 + rest)));
        *of_label = static_cast<T>(-weight * others / (1 + rest));
        for (Size p = 0; p < split.count(); ++p) {
            const T* delta = panels + split.offset(p) * capacity + r * split.width(p);
            T* sum = sum_delta + split.offset(p);
            for (Size j = 0; j < split.width(p); j += kLanes<T>) store(sum + j, load(sum + j) + load(delta + j));
        }
    }
    return loss;
}

/// softmax_delta for one vector of samples: z (n_rows classes, width apart). Returns the sum of their losses.
template <class T>
double softmax_column(T* z, Size width, Size n_rows, const T* bias, const Size* labels, const T* weight) noexcept {
    constexpr Size n = kLanes<T>;
    Vec<T> top = splat(-static_cast<T>(__builtin_inf()));
    for (Size r = 0; r < n_rows; ++r) {
        const Vec<T> x = load(z + r * width) + bias[r];
        store(z + r * width, x);
        top = maximum<T>(top, x);
    }
    double below[n];
    for (Size i = 0; i < n; ++i) below[i] = static_cast<double>(top[i]) - static_cast<double>(z[labels[i] * width + i]);
    Vec<T> sum{}, at_top{};
    for (Size r = 0; r < n_rows; ++r) {
        const Vec<T> x = load(z + r * width);
        const Vec<T> e = exp_negative<T>(x - top);
        sum += x == top ? Vec<T>{} : e;
        at_top += x == top ? splat(T(1)) : Vec<T>{};
        store(z + r * width, e);
    }
    double loss = 0;
    Vec<T> factor{}, of_label{};
    for (Size i = 0; i < n; ++i) {
        const double rest = static_cast<double>(sum[i]) + (static_cast<double>(at_top[i]) - 1);
        const double w = static_cast<double>(weight[i]);
        const double others = below[i] == 0 ? rest : 1 + (rest - static_cast<double>(z[labels[i] * width + i]));
        loss += w * (below[i] + __builtin_log1p(rest));
        factor[i] = static_cast<T>(w / (1 + rest));
        of_label[i] = static_cast<T>(-w * others / (1 + rest));
    }
    for (Size r = 0; r < n_rows; ++r) store(z + r * width, factor * load(z + r * width));
    for (Size i = 0; i < n; ++i) z[labels[i] * width + i] = of_label[i];
    return loss;
}

template <class T>
double softmax_columns(T* z, Size n_rows, Size n_vec, const T* bias, const Size* labels, const T* weight) noexcept {
    double loss = 0;
    for (Size j = 0; j < n_vec * kLanes<T>; j += kLanes<T>)
        loss += softmax_column(z + j, n_vec * kLanes<T>, n_rows, bias, labels + j, weight + j);
    return loss;
}

}  // namespace
}  // namespace sae_fast
