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

/// The same with its terms in pairs, pairs of pairs and so on (Estrin's scheme): a shorter way through, so that more
/// of these fit side by side into the processor's window.
template <class T>
inline Vec<T> short_polynomial(const T (&c)[7], Vec<T> x) noexcept {
    const Vec<T> x2 = x * x;
    const Vec<T> low = (c[3] * x + c[2]) * x2 + (c[1] * x + c[0]);
    return (c[6] * x2 + (c[5] * x + c[4])) * (x2 * x2) + low;
}

template <class T>
inline Vec<T> short_polynomial(const T (&c)[12], Vec<T> x) noexcept {
    const Vec<T> x2 = x * x;
    const Vec<T> x4 = x2 * x2;
    const Vec<T> low = (c[3] * x + c[2]) * x2 + (c[1] * x + c[0]);
    const Vec<T> middle = (c[7] * x + c[6]) * x2 + (c[5] * x + c[4]);
    const Vec<T> high = (c[11] * x + c[10]) * x2 + (c[9] * x + c[8]);
    return high * (x4 * x4) + (middle * x4 + low);
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
    return scale_down<T>(short_polynomial(C::q, r), n);
}

/// sigmoid(-|z|) and sigmoid(|z|): each with its own full precision, their sum is 1.
template <class T>
struct SigmoidPair {
    Vec<T> small, big;
};

/// The division runs beside the multiply-adds of the next exp; steps of Newton's would compete with them.
template <class T>
inline SigmoidPair<T> sigmoid_pair(Vec<T> z) noexcept {
    const Vec<T> e = exp_negative<T>(minus_absolute<T>(z));
    const Vec<T> big = T(1) / (T(1) + e);
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
