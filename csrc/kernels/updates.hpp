// Weight updates and vector sums, elementwise. The formulas are those of include/sae_fast/optimizer.hpp.
#pragma once

#include "simd.hpp"

namespace sae_fast {
namespace {

// Calls f(i, lanes) over 0 ... n - 1: whole vectors, then single elements through a padded vector.
template <class T, class F>
inline void for_vectors(Size n, F f) noexcept {
    Size i = 0;
    for (; i + kLanes<T> <= n; i += kLanes<T>) f(i, kLanes<T>);
    if (i < n) f(i, n - i);
}

template <class T>
inline Vec<T> get(const T* p, Size n) noexcept {
    return n == kLanes<T> ? load(p) : load_some(p, n);
}

template <class T>
inline void put(T* p, Vec<T> v, Size n) noexcept {
    if (n == kLanes<T>)
        store(p, v);
    else
        store_some(p, v, n);
}

template <class T>
void scale(const T* a, T factor, Size n, T* out) noexcept {
    for_vectors<T>(n, [=](Size i, Size l) { put(out + i, factor * get(a + i, l), l); });
}

template <class T>
void add_scaled(const T* a, T factor, const T* b, Size n, T* out) noexcept {
    for_vectors<T>(n, [=](Size i, Size l) { put(out + i, get(a + i, l) + factor * get(b + i, l), l); });
}

template <class T>
void update_sgd(T* p, const T* g, Size n, T learning_rate) noexcept {
    for_vectors<T>(n, [=](Size i, Size l) { put(p + i, get(p + i, l) - learning_rate * get(g + i, l), l); });
}

template <class T>
void update_momentum(T* p, T* v, const T* g, Size n, T learning_rate, T momentum, bool nesterov) noexcept {
    for_vectors<T>(n, [=](Size i, Size l) {
        const Vec<T> gradient = get(g + i, l);
        const Vec<T> velocity = momentum * get(v + i, l) + gradient;
        put(v + i, velocity, l);
        const Vec<T> direction = nesterov ? gradient + momentum * velocity : velocity;
        put(p + i, get(p + i, l) - learning_rate * direction, l);
    });
}

inline VecF32 square_root(VecF32 x) noexcept {
    for (Size i = 0; i < kLanes<float>; ++i) x[i] = __builtin_sqrtf(x[i]);
    return x;
}

inline VecF64 square_root(VecF64 x) noexcept {
    for (Size i = 0; i < kLanes<double>; ++i) x[i] = __builtin_sqrt(x[i]);
    return x;
}

// step = learning_rate / (1 - beta1^t), root_correction = sqrt(1 - beta2^t).
template <class T>
void update_adam(T* p, T* m, T* v, const T* g, Size n, T beta1, T beta2, T step, T root_correction, T eps) noexcept {
    const T inverse = T(1) / root_correction;
    for_vectors<T>(n, [=](Size i, Size l) {
        const Vec<T> gradient = get(g + i, l);
        const Vec<T> first = beta1 * get(m + i, l) + (T(1) - beta1) * gradient;
        const Vec<T> second = beta2 * get(v + i, l) + (T(1) - beta2) * (gradient * gradient);
        put(m + i, first, l);
        put(v + i, second, l);
        put(p + i, get(p + i, l) - step * first / (square_root(second) * inverse + eps), l);
    });
}

template <class T>
double update_adam_row(T* p, T* m, T* v, const T* g, Size n, T along, T factor, const AdamStep<T>& rule) noexcept {
    DoubleSum<T> squares;
    const AdamStep<T> r = rule;
    for_vectors<T>(n, [=, &squares](Size i, Size l) {
        const Vec<T> old = get(p + i, l);
        const Vec<T> gradient = g == nullptr ? Vec<T>{} : factor * (get(g + i, l) - along * old);
        const Vec<T> first = r.beta1 * get(m + i, l) + r.rest1 * gradient;
        const Vec<T> second = r.beta2 * get(v + i, l) + r.rest2 * (gradient * gradient);
        put(m + i, first, l);
        put(v + i, second, l);
        const Vec<T> now = old - r.step * first / (square_root(second) * r.inverse_root + r.epsilon);
        put(p + i, now, l);
        squares.add(now * now);
    });
    return squares.value();
}

}  // namespace
}  // namespace sae_fast
