// exp, sigmoid with its complement, and tanh, on vectors. Polynomials: interpolation at Chebyshev nodes, computed in
// 40 digits; ranges and errors beside them.
#pragma once

#include "simd.hpp"

namespace sae_fast {
namespace {

template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
    static constexpr float log2_e = 1.44269504F, ln2_high = 0.693115234F, ln2_low = 3.19461850e-05F;
    static constexpr float round = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
    static constexpr float lowest = -110.0F;     // exp is 0 from here on, subnormals included
    static constexpr float normal = -100.0F;     // 2^normal is a normal number
    static constexpr int mantissa = 23, bias = 127;
    // exp(r) on |r| <= ln(2)/2, relative error 1.0e-8
    static constexpr float q[] = {
        1.0F, 1.0F, 0.5F, 0.166665769897F, 0.0416665546172F, 0.00836317905272F, 0.00139261835877F};
};

template <>
struct ExpConstants<double> {
    static constexpr double log2_e = 1.44269504088896340736;
    static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 1.9082149292705877e-10;
    static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double lowest = -760.0;
    static constexpr double normal = -1000.0;
    static constexpr int mantissa = 52, bias = 1023;
    // relative error 1.5e-17
    static constexpr double q[] = {1.0,
                                   1.0,
                                   0.50000000000000010314,
                                   0.1666666666666666746,
                                   0.041666666666623820532,
                                   0.0083333333333300381973,
                                   0.0013888888917367080562,
                                   0.00019841269863171556026,
                                   0.000024801521057868205199,
                                   2.7557268276905696187e-6,
                                   2.7620201591031548778e-7,
                                   2.5100472505694995992e-8};
};

template <class T>
struct TanhConstants;

// (tanh(x) - x) / x^3 as a polynomial in x^2 on |x| <= 0.56
template <>
struct TanhConstants<float> {
    static constexpr float near_zero = 0.55F;
    static constexpr float r[] = {-0.33333333284295F,  0.13333322140272F,  -0.0539640834826308F,
                                  0.0218121004542147F, -0.00850004892219F, 0.00248873688019818F};  // error 1.4e-10
};

template <>
struct TanhConstants<double> {
    static constexpr double near_zero = 0.55;
    static constexpr double r[] = {-0.33333333333333332118,    0.13333333333332402192,     -0.05396825396707215781,
                                   0.021869488477519992433,    -0.008863234033828350844,   0.003592105687263529805,
                                   -0.0014556251637578736555,  0.00058875930583052880186,  -0.00023412146182698114818,
                                   0.000084290143934314634813, -0.000020043306672059515611};  // error 3.7e-18
};

template <class T, int N>
inline Vec<T> polynomial(const T (&c)[N], Vec<T> x) noexcept {
    Vec<T> sum = splat(c[N - 1]);
#pragma GCC unroll 16
    for (int i = N - 2; i >= 0; --i) sum = sum * x + c[i];
    return sum;
}

/// 2^n for integers n in the range of normal numbers.
template <class T>
inline Vec<T> power_of_two(Vec<T> n) noexcept {
    using C = ExpConstants<T>;
    using Lane = typename Simd<T>::IntLane;
    const IntVec<T> bits = reinterpret_cast<IntVec<T>>(n + (C::round + static_cast<T>(C::bias)));
    return reinterpret_cast<Vec<T>>(bits << static_cast<Lane>(C::mantissa));
}

/// p 2^n for integers n in [-1100, 0], right down to subnormal results.
template <class T>
inline Vec<T> scale_down(Vec<T> p, Vec<T> n) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return reinterpret_cast<Vec<T>>(_mm512_maskz_scalef_ps(0xffff, p, n));
    if constexpr (sizeof(T) == 8) return reinterpret_cast<Vec<T>>(_mm512_maskz_scalef_pd(0xff, p, n));
#else
    const Vec<T> high = maximum<T>(n, splat(ExpConstants<T>::normal));
    return (p * power_of_two<T>(high)) * power_of_two<T>(n - high);
#endif
}

/// exp(x) for x <= 0, down to and including subnormal results.
template <class T>
inline Vec<T> exp_negative(Vec<T> x) noexcept {
    using C = ExpConstants<T>;
    x = maximum<T>(splat(C::lowest), x);
    const Vec<T> n = (x * C::log2_e + C::round) - C::round;
    const Vec<T> r = (x - n * C::ln2_high) - n * C::ln2_low;
    return scale_down<T>(polynomial(C::q, r), n);
}

/// 1 / (1 + e) for e in [0, 1], rounded like a division up to one unit in the last place: a cubic start of which
/// 1 - d y is the Chebyshev polynomial T4(2 d - 3) / 577, so at most 1/577, then a step of third order (1/577^3 = 5e-9)
/// and, in double, one of second (3e-17). A division unit takes longer, and other processors' estimates differ.
template <class T>
inline Vec<T> reciprocal_of_1_plus(Vec<T> e) noexcept {
    static constexpr T start[] = {T(576.0 / 577), T(-544.0 / 577), T(384.0 / 577), T(-128.0 / 577)};
    const Vec<T> d = T(1) + e;
    Vec<T> y = polynomial(start, e);
    Vec<T> left = T(1) - d * y;
    y += y * (left + left * left);
    if constexpr (sizeof(T) == 8) {
        left = T(1) - d * y;
        y += y * left;
    }
    return y;
}

/// sigmoid(-|z|) and sigmoid(|z|): each with its own full precision, their sum is 1.
template <class T>
struct SigmoidPair {
    Vec<T> small, big;
};

template <class T>
inline SigmoidPair<T> sigmoid_pair(Vec<T> z) noexcept {
    const Vec<T> e = exp_negative<T>(minus_absolute<T>(z));
    const Vec<T> big = reciprocal_of_1_plus<T>(e);
    return {e * big, big};
}

/// tanh for |z| <= near_zero.
template <class T>
inline Vec<T> tanh_near_zero(Vec<T> z) noexcept {
    const Vec<T> square = z * z;
    return polynomial(TanhConstants<T>::r, square) * (square * z) + z;
}

}  // namespace
}  // namespace sae_fast
