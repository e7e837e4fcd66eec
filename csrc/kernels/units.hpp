// The units, one struct each: everything that a kernel has to know of one. What the rest of the core knows is a line
// of kUnits (types.hpp).
//
//   value     the activation itself
//   ahead     the long first part of `hidden` and `error`, which get it as e. It is one chain, and of a whole row's
//             chain few fit into the processor's window: so loops over many rows compute this part for a few of them
//             before they go on with the first one
//   hidden    a stored activation t, one number that keeps everything between the passes: pass 2 needs the activation
//             and the slope f'(z) also where it has rounded to its limit; and what s, which is the activation mapped to
//             [0, 1], is beyond 0 or 1, whichever is nearer: s or -(1 - s). Where there is no s, 0
//   restore   the activation from t
//   slope     f'(z) from t
//   error     g(z) - x and g'(z), each precise where g has rounded to its limit
//
//   sigmoid:  s = a.  t = s where s < 1/2, else -(1 - s): the smaller of s and its complement, the sign says which.
//             a = t or 1 + t,  f' = |t| (1 - |t|).
//   tanh:     s = (a + 1) / 2 = sigmoid(2 z).  u = 1 - |a|.  t = a where |a| <= near_zero, else sign(a) / u, which is
//             beyond 2.  a = t or sign (1 - u),  f' = 1 - a^2 or u (2 - u).
//   linear:   t = a = z.
//   relu:     t = a = max(z, 0). s = a.
//   satlin:   s = t = a = min(max(z, 0), 1) (MATLAB's). f' is 0 at both ends.
//
// A NaN stays one.
#pragma once

#include "elementary.hpp"

namespace sae_fast {
namespace {

template <class T>
struct Hidden {
    Vec<T> stored, beyond;
};

template <class T>
struct Error {
    Vec<T> difference, slope;
};

/// A unit that has nothing to compute ahead.
template <class T>
struct Short {
    static constexpr bool goes_ahead = false;
    static Vec<T> ahead(Vec<T> z) noexcept { return z; }
};

template <class T>
struct Sigmoid {
    static constexpr bool goes_ahead = true;
    static Vec<T> value(Vec<T> z) noexcept {
        const Vec<T> e = exp_of_size<T>(z);
        return (z < Vec<T>{} ? e : splat(T(1))) / (T(1) + e);
    }
    static Vec<T> ahead(Vec<T> z) noexcept { return exp_of_size<T>(z); }
    static Hidden<T> hidden(Vec<T> z, Vec<T> e) noexcept {
        const Vec<T> stored = with_opposite_sign<T>(e / (T(1) + e), z);
        return {stored, stored};
    }
    static Vec<T> restore(Vec<T> t) noexcept { return sign_bit<T>(t) ? T(1) + t : t; }
    static Vec<T> slope(Vec<T> t) noexcept {
        const Vec<T> size = absolute<T>(t);
        return size * (T(1) - size);
    }
    static Error<T> error(Vec<T> z, Vec<T> e, Vec<T> x) noexcept {
        const Vec<T> small = e / (T(1) + e);
        return {z < Vec<T>{} ? small - x : (T(1) - x) - small, small - small * small};
    }
};

template <class T>
struct Tanh {
    static constexpr bool goes_ahead = true;
    static Vec<T> value(Vec<T> z) noexcept {
        const Vec<T> small = small_sigmoid<T>(z + z);
        const Vec<T> far = T(1) - (small + small);
        return absolute<T>(z) <= TanhConstants<T>::near_zero ? tanh_near_zero<T>(z) : (z < Vec<T>{} ? -far : far);
    }
    static Vec<T> ahead(Vec<T> z) noexcept { return exp_of_size<T>(z + z); }
    static Hidden<T> hidden(Vec<T> z, Vec<T> e) noexcept {
        const Vec<T> small = e / (T(1) + e);
        const Vec<T> far = T(0.5) / small;
        const Vec<T> size = absolute<T>(z);
        const Vec<T> stored = size <= TanhConstants<T>::near_zero ? tanh_near_zero<T>(z) : (z < Vec<T>{} ? -far : far);
        return {stored, with_opposite_sign<T>(small, z)};
    }
    static Vec<T> restore(Vec<T> t) noexcept {
        const Vec<T> size = absolute<T>(t);
        const Vec<T> a = T(1) - T(1) / maximum<T>(splat(T(1)), size);
        return size < T(1) ? t : (t < Vec<T>{} ? -a : a);
    }
    static Vec<T> slope(Vec<T> t) noexcept {
        const Vec<T> size = absolute<T>(t);
        const Vec<T> u = T(1) / maximum<T>(splat(T(1)), size);
        return size < T(1) ? T(1) - t * t : u * (T(2) - u);
    }
    static Error<T> error(Vec<T> z, Vec<T> e, Vec<T> x) noexcept {
        const Vec<T> small = e / (T(1) + e);
        const Vec<T> twice = small + small;
        const Vec<T> far = z < Vec<T>{} ? twice - (T(1) + x) : (T(1) - x) - twice;
        const Vec<T> size = absolute<T>(z);
        return {size <= TanhConstants<T>::near_zero ? tanh_near_zero<T>(z) - x : far, T(4) * (small - small * small)};
    }
};

template <class T>
struct Linear : Short<T> {
    static Vec<T> value(Vec<T> z) noexcept { return z; }
    static Hidden<T> hidden(Vec<T> z, Vec<T>) noexcept { return {z, Vec<T>{}}; }
    static Vec<T> restore(Vec<T> t) noexcept { return t; }
    static Vec<T> slope(Vec<T>) noexcept { return splat(T(1)); }
    static Error<T> error(Vec<T> z, Vec<T>, Vec<T> x) noexcept { return {z - x, splat(T(1))}; }
};

template <class T>
struct Relu : Short<T> {
    static Vec<T> value(Vec<T> z) noexcept { return z <= Vec<T>{} ? Vec<T>{} : z; }
    static Hidden<T> hidden(Vec<T> z, Vec<T>) noexcept { return {value(z), value(z)}; }
    static Vec<T> restore(Vec<T> t) noexcept { return t; }
    static Vec<T> slope(Vec<T> t) noexcept { return t > Vec<T>{} ? splat(T(1)) : Vec<T>{}; }
    static Error<T> error(Vec<T> z, Vec<T>, Vec<T> x) noexcept { return {value(z) - x, slope(z)}; }
};

template <class T>
struct Satlin : Short<T> {
    static Vec<T> value(Vec<T> z) noexcept {
        const Vec<T> a = z <= Vec<T>{} ? Vec<T>{} : z;
        return a > T(1) ? splat(T(1)) : a;
    }
    static Hidden<T> hidden(Vec<T> z, Vec<T>) noexcept {
        const Vec<T> a = value(z);
        return {a, a < T(0.5) ? a : -(T(1) - a)};  // -0 where a is 1
    }
    static Vec<T> restore(Vec<T> t) noexcept { return t; }
    static Vec<T> slope(Vec<T> t) noexcept { return ((t > Vec<T>{}) & (t < T(1))) ? splat(T(1)) : Vec<T>{}; }
    static Error<T> error(Vec<T> z, Vec<T>, Vec<T> x) noexcept { return {value(z) - x, slope(z)}; }
};

/// f(unit) with the struct of the unit, so that the compiler knows it.
template <class T, class F>
inline auto with_unit(Unit unit, F f) noexcept {
    switch (unit) {
        case Unit::sigmoid:
            return f(Sigmoid<T>());
        case Unit::tanh:
            return f(Tanh<T>());
        case Unit::linear:
            return f(Linear<T>());
        case Unit::relu:
            return f(Relu<T>());
        default:
            return f(Satlin<T>());
    }
}

}  // namespace
}  // namespace sae_fast
