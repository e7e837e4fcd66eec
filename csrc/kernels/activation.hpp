// The hidden unit as one number that keeps everything.
//
// Pass 2 needs the activation a, and the slope f'(z) also where a has rounded to its limit. So pass 1 stores a folded
// activation t, from which both come with full relative precision:
//   sigmoid:  t = s where s < 1/2, else -(1 - s): the smaller of s and its complement, the sign says which.
//             s = t or 1 + t,  f' = |t| (1 - |t|).
//   tanh:     u = 1 - |a|.  t = a where |a| <= near_zero, else sign(a) / u, which is beyond 2.
//             a = t or sign (1 - u),  f' = 1 - a^2 or u (2 - u).
//   linear:   t = a.
// Means are those of s, mapped to [0, 1] (tanh: s = (a + 1) / 2 = sigmoid(2 z)), and of 1 - s.
#pragma once

#include "elementary.hpp"

namespace sae_fast {
namespace {

/// The folded activation of one vector; and what s is beyond 0 or 1, whichever is nearer: s or -(1 - s).
template <class T>
struct Hidden {
    Vec<T> folded, beyond;
};

template <class T, Unit U>
inline Hidden<T> hidden_unit(Vec<T> z) noexcept {
    if constexpr (U == Unit::sigmoid) {
        const Vec<T> folded = with_opposite_sign<T>(small_sigmoid<T>(z), z);
        return {folded, folded};
    } else if constexpr (U == Unit::linear) {
        return {z, Vec<T>{}};
    } else {
        const Vec<T> small = small_sigmoid<T>(z + z);
        const Vec<T> far = T(0.5) / small;
        const Vec<T> size = absolute<T>(z);
        const Vec<T> folded = size <= TanhConstants<T>::near_zero ? tanh_near_zero<T>(z) : (z < Vec<T>{} ? -far : far);
        return {folded, with_opposite_sign<T>(small, z)};
    }
}

template <class T, Unit U>
inline Vec<T> unfold_unit(Vec<T> t) noexcept {
    if constexpr (U == Unit::sigmoid) {
        return sign_bit<T>(t) ? T(1) + t : t;
    } else if constexpr (U == Unit::linear) {
        return t;
    } else {
        const Vec<T> size = absolute<T>(t);
        const Vec<T> a = T(1) - T(1) / maximum<T>(splat(T(1)), size);
        return size < T(1) ? t : (t < Vec<T>{} ? -a : a);
    }
}

/// f'(z) from the folded activation.
template <class T, Unit U>
inline Vec<T> folded_slope(Vec<T> t) noexcept {
    const Vec<T> size = absolute<T>(t);
    if constexpr (U == Unit::sigmoid) {
        return size * (T(1) - size);
    } else if constexpr (U == Unit::linear) {
        return splat(T(1));
    } else {
        const Vec<T> u = T(1) / maximum<T>(splat(T(1)), size);
        return size < T(1) ? T(1) - t * t : u * (T(2) - u);
    }
}

/// The activation itself.
template <class T, Unit U>
inline Vec<T> unit(Vec<T> z) noexcept {
    const Vec<T> zero{};
    if constexpr (U == Unit::sigmoid) {
        const Vec<T> e = exp_of_size<T>(z);
        return (z < zero ? e : splat(T(1))) / (T(1) + e);
    } else if constexpr (U == Unit::tanh) {
        const Vec<T> small = small_sigmoid<T>(z + z);
        const Vec<T> far = T(1) - (small + small);
        return absolute<T>(z) <= TanhConstants<T>::near_zero ? tanh_near_zero<T>(z) : (z < zero ? -far : far);
    } else {
        return z;
    }
}

/// g(z) - x and g'(z), each precise where g has rounded to its limit.
template <class T>
struct Error {
    Vec<T> difference, slope;
};

template <class T, Unit U>
inline Error<T> output_error(Vec<T> z, Vec<T> x) noexcept {
    const Vec<T> zero{};
    if constexpr (U == Unit::sigmoid) {
        const Vec<T> small = small_sigmoid<T>(z);
        return {z < zero ? small - x : (T(1) - x) - small, small - small * small};
    } else if constexpr (U == Unit::tanh) {
        const Vec<T> small = small_sigmoid<T>(z + z);
        const Vec<T> twice = small + small;
        const Vec<T> far = z < zero ? twice - (T(1) + x) : (T(1) - x) - twice;
        const Vec<T> size = absolute<T>(z);
        return {size <= TanhConstants<T>::near_zero ? tanh_near_zero<T>(z) - x : far, T(4) * (small - small * small)};
    } else {
        return {z - x, splat(T(1))};
    }
}

}  // namespace
}  // namespace sae_fast
