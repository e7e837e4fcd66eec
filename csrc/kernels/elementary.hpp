// exp, log(1 + x), sigmoid with its complement, and tanh, on vectors. Polynomials: interpolation at Chebyshev nodes,
// computed in 40 digits; ranges and errors beside them.
#pragma once

#include "simd.hpp"

namespace sae_fast {
namespace {

template <class T>
struct ExpConstants;

#if defined(__AVX512F__)

// exp(x) = 2^n (2^(n - floor n) exp(r)) for n = x / ln(2) rounded to 1/16 or 1/8: a short polynomial, since r is small,
// and a table that fits into one vector.
template <>
struct ExpConstants<float> {
    static constexpr float log2_e = 1.44269504F, ln2_high = 0.693115234F, ln2_low = 3.19461850e-05F;
    static constexpr float round = 1.5F * (1 << 19);  // adding it rounds to 1/16, whose count is in the low bits
    static constexpr float lowest = -110.0F;          // exp is 0 from here on, subnormals included
    alignas(64) static constexpr float powers[] = {
        1.0F,         1.044273782F, 1.090507733F, 1.138788635F, 1.189207115F, 1.241857812F, 1.296839555F, 1.354255547F,
        1.414213562F, 1.476826146F, 1.542210825F, 1.610490332F, 1.681792831F, 1.75625216F,  1.834008086F, 1.915206561F};
    // (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/32, relative error of exp 4.7e-9
    static constexpr float q[] = {0.500009776873F, 0.166668622037F};
};

template <>
struct ExpConstants<double> {
    static constexpr double log2_e = 1.44269504088896340736;
    static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 1.9082149292705877e-10;
    static constexpr double round = 1.5 * static_cast<double>(1LL << 49);  // to 1/8
    static constexpr double lowest = -760.0;
    alignas(64) static constexpr double powers[] = {1.0,
                                                    1.09050773266525765921,
                                                    1.18920711500272106672,
                                                    1.29683955465100966593,
                                                    1.4142135623730950488,
                                                    1.54221082540794082361,
                                                    1.68179283050742908606,
                                                    1.83400808640934246349};
    // the same on |r| <= ln(2)/16, relative error of exp 1.0e-17
    static constexpr double q[] = {0.50000000000000512668,   0.16666666666666723629,   0.041666666617506798448,
                                   0.0083333333278711556734, 0.0013889587247893671515, 0.00019842045792409189496};
};

#elif defined(__AVX2__)

// The same in eighths for both types, whose table fits into one vector of 32-bit lanes, or into two: the lower and the
// upper halves of doubles. In cycles a vector, exp in its two loops: 5.0 for float32 and 8.4 for float64, of 16 and 22
// operations for four units; the polynomials below took 5 more in a sigmoid.
template <>
struct ExpConstants<float> {
    static constexpr float log2_e = 1.44269504F, ln2_high = 0.693115234F, ln2_low = 3.19461850e-05F;
    static constexpr float round = 1.5F * (1 << 20);  // to 1/8
    static constexpr float lowest = -110.0F;          // exp is 0 from here on, subnormals included
    static constexpr float normal = -87.0F;           // exp is a normal number down to here
    static constexpr int parts = 8, shift = 20;       // an eighth of 1 in an exponent is 1 << shift
    alignas(32) static constexpr float powers[] = {1.0F,         1.090507733F, 1.189207115F, 1.296839555F,
                                                   1.414213562F, 1.542210825F, 1.681792831F, 1.834008086F};
    // (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/16, where the relative error of exp is least: 2.6e-8
    static constexpr float q[] = {0.500064471987F, 0.166668584059F};
};

template <>
struct ExpConstants<double> {
    static constexpr double log2_e = 1.44269504088896340736;
    static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 1.9082149292705877e-10;
    static constexpr double round = 1.5 * static_cast<double>(1LL << 49);  // to 1/8
    static constexpr double lowest = -760.0;
    static constexpr double normal = -708.0;
    static constexpr int parts = 8, shift = 49;
    alignas(32) static constexpr double powers[] = {1.0,
                                                    1.09050773266525765921,
                                                    1.18920711500272106672,
                                                    1.29683955465100966593,
                                                    1.4142135623730950488,
                                                    1.54221082540794082361,
                                                    1.68179283050742908606,
                                                    1.83400808640934246349};
    // error 2.9e-18
    static constexpr double q[] = {0.5000000000000296006,    0.16666666666663726021,  0.041666666570112164192,
                                   0.0083333333711121604896, 0.001388978049464908678, 0.00019840565909372860069};
};

#else

template <>
struct ExpConstants<float> {
    static constexpr float log2_e = 1.44269504F, ln2_high = 0.693115234F, ln2_low = 3.19461850e-05F;
    static constexpr float round = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
    static constexpr float lowest = -110.0F;     // exp is 0 from here on, subnormals included
    static constexpr float normal = -87.0F;      // exp is a normal number down to here
    static constexpr int parts = 1, shift = 23;
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
    static constexpr double normal = -708.0;
    static constexpr int parts = 1, shift = 52;
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

#endif

template <class T>
struct LogConstants;

// (atanh(x) / x - 1) / x^2 as a polynomial in x^2, on x <= 1/3, relative errors of atanh 3.9e-10 and 1.3e-19
template <>
struct LogConstants<float> {
    static constexpr float r[] = {0.333333336603F, 0.19999853166F, 0.142961789972F, 0.108532879004F, 0.11612164612F};
};

template <>
struct LogConstants<double> {
    static constexpr double r[] = {0.33333333333333333443,  0.19999999999999761253,  0.14285714285800049646,
                                   0.11111111099118385279,  0.090909099489813571913, 0.076922719824302746434,
                                   0.066675893157246279183, 0.0586713953065159873,   0.05422589197440007411,
                                   0.037460718977753836504, 0.078152889004614252231};
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

#if defined(__AVX2__)

/// exp(r) - 1.
template <class T>
inline Vec<T> short_exp(const T (&q)[2], Vec<T> r) noexcept {
    return (q[1] * r + q[0]) * (r * r) + r;
}
template <class T>
inline Vec<T> short_exp(const T (&q)[6], Vec<T> r) noexcept {
    const Vec<T> r2 = r * r;
    return (((q[5] * r + q[4]) * r2 + (q[3] * r + q[2])) * r2 + (q[1] * r + q[0])) * r2 + r;
}

#endif

#if defined(__AVX512F__)

inline VecF32 power_of_fraction(VecF32 count) noexcept {
    return reinterpret_cast<VecF32>(
        _mm512_maskz_permutexvar_ps(0xffff, reinterpret_cast<__m512i>(count), load(ExpConstants<float>::powers)));
}
inline VecF64 power_of_fraction(VecF64 count) noexcept {
    return reinterpret_cast<VecF64>(
        _mm512_maskz_permutexvar_pd(0xff, reinterpret_cast<__m512i>(count), load(ExpConstants<double>::powers)));
}
inline VecF32 scale_by_power(VecF32 p, VecF32 n) noexcept {  // p 2^floor(n), right down to subnormal results
    return reinterpret_cast<VecF32>(_mm512_maskz_scalef_ps(0xffff, p, n));
}
inline VecF64 scale_by_power(VecF64 p, VecF64 n) noexcept {
    return reinterpret_cast<VecF64>(_mm512_maskz_scalef_pd(0xff, p, n));
}

/// exp(x) for x <= 0, down to and including subnormal results.
template <class T>
inline Vec<T> exp_negative(Vec<T> x) noexcept {
    using C = ExpConstants<T>;
    x = maximum<T>(splat(C::lowest), x);
    const Vec<T> count = x * C::log2_e + C::round;
    const Vec<T> n = count - C::round;
    const Vec<T> r = (x - n * C::ln2_high) - n * C::ln2_low;
    const Vec<T> power = power_of_fraction(count);
    return scale_by_power(power * short_exp(C::q, r) + power, n);
}

#else

#if defined(__AVX2__)

/// The bits of 2^(k / 8) for the last 3 bits of k, less what these add to them when k is shifted into the exponent.
inline VecI32 power_of_fraction(VecI32 k) noexcept {
    using C = ExpConstants<float>;
    const VecI32 powers = reinterpret_cast<VecI32>(load(C::powers)) - (VecI32{0, 1, 2, 3, 4, 5, 6, 7} << C::shift);
    return reinterpret_cast<VecI32>(
        _mm256_permutevar8x32_epi32(reinterpret_cast<__m256i>(powers), reinterpret_cast<__m256i>(k)));
}
inline VecI64 power_of_fraction(VecI64 k) noexcept {
    using C = ExpConstants<double>;
    const VecI64 first = reinterpret_cast<VecI64>(load(C::powers)) - (VecI64{0, 1, 2, 3} << C::shift);
    const VecI64 second = reinterpret_cast<VecI64>(load(C::powers + 4)) - (VecI64{4, 5, 6, 7} << C::shift);
    const __m256 a = reinterpret_cast<__m256>(first), b = reinterpret_cast<__m256>(second);
    const __m256i low = _mm256_permute4x64_epi64(reinterpret_cast<__m256i>(_mm256_shuffle_ps(a, b, 0x88)), 0xd8);
    const __m256i high = _mm256_permute4x64_epi64(reinterpret_cast<__m256i>(_mm256_shuffle_ps(a, b, 0xdd)), 0xd8);
    return reinterpret_cast<VecI64>(
        _mm256_blend_epi32(_mm256_permutevar8x32_epi32(low, reinterpret_cast<__m256i>(k)),
                           _mm256_permutevar8x32_epi32(high, reinterpret_cast<__m256i>(k << 32)), 0xaa));
}

/// power exp(r).
template <class T>
inline Vec<T> times_exp(Vec<T> power, Vec<T> r) noexcept {
    return power * short_exp(ExpConstants<T>::q, r) + power;
}

#else

/// The bits of 1: there is no fraction.
template <class I>
inline I power_of_fraction(I) noexcept {
    if constexpr (sizeof(I{}[0]) == 4) return reinterpret_cast<I>(splat(1.0F));
    if constexpr (sizeof(I{}[0]) == 8) return reinterpret_cast<I>(splat(1.0));
}

/// A polynomial with its terms in pairs, pairs of pairs and so on (Estrin's scheme): a shorter way through, so that
/// more of these fit side by side into the processor's window.
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

template <class T>
inline Vec<T> times_exp(Vec<T> power, Vec<T> r) noexcept {
    return power * short_polynomial(ExpConstants<T>::q, r);
}

#endif

/// exp(x) 2^up for x <= 0, if that is a normal number.
template <class T, int Up>
inline Vec<T> exp_scaled(Vec<T> x) noexcept {
    using C = ExpConstants<T>;
    const Vec<T> count = x * C::log2_e + C::round;
    const Vec<T> n = count - C::round;
    const Vec<T> r = (x - n * C::ln2_high) - n * C::ln2_low;
    const IntVec<T> k = reinterpret_cast<IntVec<T> >(count) + Up * C::parts;
    const BitsVec<T> fraction = reinterpret_cast<BitsVec<T> >(power_of_fraction(k));
    return times_exp<T>(reinterpret_cast<Vec<T> >(fraction + (reinterpret_cast<BitsVec<T> >(k) << C::shift)), r);
}

/// exp(x) for x <= 0, down to and including subnormal results. These, which are rare, take a way of their own, so that
/// an element's bits do not depend on its neighbours.
template <class T>
inline Vec<T> exp_negative(Vec<T> x) noexcept {
    using C = ExpConstants<T>;
    Vec<T> e = exp_scaled<T, 0>(x);
    const IntVec<T> far = x < C::normal;
    if (__builtin_expect(any<T>(far), 0))
        e = far ? exp_scaled<T, 100>(maximum<T>(splat(C::lowest), x)) * T(0x1p-100) : e;
    return e;
}

#endif

/// exp(-|z|).
template <class T>
inline Vec<T> exp_of_size(Vec<T> z) noexcept {
    return exp_negative<T>(minus_absolute<T>(z));
}

/// log(1 + x) for x in [0, 1]: 2 atanh(x / (2 + x)).
template <class T>
inline Vec<T> log_one_plus(Vec<T> x) noexcept {
    const Vec<T> half = x / (T(2) + x);
    const Vec<T> square = half * half;
    const Vec<T> whole = half + half;
    return polynomial(LogConstants<T>::r, square) * (square * whole) + whole;
}

/// log(x) of a normal number: x is 2^k f with f from sqrt(1/2) to sqrt(2), and log(f) is 2 atanh((f - 1) / (f + 1)).
inline VecF64 log_of_normal(VecF64 x) noexcept {
    using C = ExpConstants<double>;
    constexpr double shift = 0x1.8p52;  // a small integer added to its bits is added to the number
    const VecU64 bits = reinterpret_cast<VecU64>(x);
    const VecU64 above = bits - reinterpret_cast<VecU64>(splat(0x1.6a09e667f3bcdp-1)) + (1ULL << 62);
    const VecU64 power = (above >> 52) - 1024;
    const VecF64 f = reinterpret_cast<VecF64>(bits - (power << 52));
    const VecF64 n = reinterpret_cast<VecF64>(power + reinterpret_cast<VecU64>(splat(shift))) - shift;
    const VecF64 half = (f - 1.0) / (f + 1.0);
    const VecF64 square = half * half;
    const VecF64 whole = half + half;
    const VecF64 of_f = polynomial<double>(LogConstants<double>::r, square) * (square * whole) + whole;
    return n * C::ln2_high + (n * C::ln2_low + of_f);
}

/// x (n,) = log(x), each whatever its neighbours.
inline void logarithms(double* x, Size n) noexcept {
    constexpr Size lanes = kLanes<double>;
    constexpr double least = 0x1p-1022, most = 0x1.fffffffffffffp1023;
    for (Size i = 0; i < n; i += lanes, x += lanes) {
        const Size some = n - i < lanes ? n - i : lanes;
        const VecF64 from = some == lanes ? load(x) : load_some(x, some);
        if (some == lanes)
            store(x, log_of_normal(from));
        else
            store_some(x, log_of_normal(from), some);
        if (some == lanes && !any<double>((from < least) | (from > most) | (from != from))) continue;
        for (Size j = 0; j < some; ++j)
            if (!(from[j] >= least && from[j] <= most)) x[j] = __builtin_log(from[j]);
    }
}

/// sigmoid(-|z|), the smaller one of sigmoid and its complement, with its own full precision. The division is the
/// processor's: it runs beside the multiply-adds of the next exp; steps of Newton's would compete with them.
template <class T>
inline Vec<T> small_sigmoid(Vec<T> z) noexcept {
    const Vec<T> e = exp_of_size<T>(z);
    return e / (T(1) + e);
}

/// tanh for |z| <= near_zero.
template <class T>
inline Vec<T> tanh_near_zero(Vec<T> z) noexcept {
    const Vec<T> square = z * z;
    return polynomial(TanhConstants<T>::r, square) * (square * z) + z;
}

}  // namespace
}  // namespace sae_fast
