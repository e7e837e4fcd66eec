// Vector types of the instruction set that this translation unit is compiled for.
//
// Files in this folder include no standard header with code and keep everything in an unnamed namespace, so that the
// objects of different instruction sets share no symbol.
#pragma once

#include "kernel_table.hpp"

#if defined(__x86_64__)
#include <immintrin.h>  // always inlined: leaves no symbol (and maskz forms: GCC warns of the others)
#endif

#if defined(__AVX512F__)
#define SAE_FAST_VECTOR_BYTES 64
#define SAE_FAST_TILE_ROWS 8
#elif defined(__AVX2__)
#define SAE_FAST_VECTOR_BYTES 32
#define SAE_FAST_TILE_ROWS 4
#elif defined(__aarch64__)
#define SAE_FAST_VECTOR_BYTES 16
#define SAE_FAST_TILE_ROWS 8
#else
#define SAE_FAST_VECTOR_BYTES 16
#define SAE_FAST_TILE_ROWS 4
#endif

namespace sae_fast {
namespace {

typedef float VecF32 __attribute__((vector_size(SAE_FAST_VECTOR_BYTES)));
typedef double VecF64 __attribute__((vector_size(SAE_FAST_VECTOR_BYTES)));
typedef int VecI32 __attribute__((vector_size(SAE_FAST_VECTOR_BYTES)));
typedef long long VecI64 __attribute__((vector_size(SAE_FAST_VECTOR_BYTES)));
typedef unsigned VecU32 __attribute__((vector_size(SAE_FAST_VECTOR_BYTES)));
typedef unsigned long long VecU64 __attribute__((vector_size(SAE_FAST_VECTOR_BYTES)));

template <class T>
struct Simd;

template <>
struct Simd<float> {
    using Vec = VecF32;
    using Int = VecI32;
    using Bits = VecU32;
    using IntLane = int;
};

template <>
struct Simd<double> {
    using Vec = VecF64;
    using Int = VecI64;
    using Bits = VecU64;
    using IntLane = long long;
};

template <class T>
using Vec = typename Simd<T>::Vec;
template <class T>
using IntVec = typename Simd<T>::Int;
template <class T>
using BitsVec = typename Simd<T>::Bits;  // for sums that go round

template <class T>
constexpr Size kLanes = SAE_FAST_VECTOR_BYTES / static_cast<Size>(sizeof(T));

/// The same as the code that is compiled once knows it. A tile takes half as many rows where there are 16 registers.
template <class T>
constexpr Lanes kVector{kLanes<T>, SAE_FAST_TILE_ROWS == 8};

/// Rows of C that a tile of 3 vectors keeps in registers.
constexpr int kTileRows = SAE_FAST_TILE_ROWS;

/// Vectors of the widest panel of samples. Three rows of four vectors need as few loads as four rows of three, and two
/// panels of two vectors a third more.
#if SAE_FAST_VECTOR_BYTES == 32
constexpr Size kSampleVectors = 4;
#else
constexpr Size kSampleVectors = 3;
#endif

/// Rows of one partial sum of `outer`. A tile walks through rows of one panel of each operand, 96 bytes with AVX2: 128
/// of them are 24 KB of the usual 32 KB, and 256 were 5 to 9 % slower on Zen 3. With AVX-512 neither fits, and fewer
/// would add to C more often; with 16 bytes to a vector 256 fit.
#if SAE_FAST_VECTOR_BYTES == 32
constexpr Size kOuterRows = 128;
#else
constexpr Size kOuterRows = 256;
#endif

template <class T>
inline Vec<T> load(const T* p) noexcept {
    Vec<T> v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

template <class T>
inline void store(T* p, Vec<T> v) noexcept {
    __builtin_memcpy(p, &v, sizeof v);
}

template <class T>
inline Vec<T> splat(T x) noexcept {
    return x - Vec<T>{};  // x - 0 in every lane; exact also for -0
}

/// a * b + c, rounded once where there is an instruction for it. Compilers contract a multiplication and an addition as
/// long as both are in one block, and what a block is they decide for each copy of a function: so this is for functions
/// with branches that are compiled for one row and for many.
template <class T>
inline Vec<T> multiply_add(Vec<T> a, Vec<T> b, Vec<T> c) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return reinterpret_cast<Vec<T>>(_mm512_fmadd_ps(a, b, c));
    if constexpr (sizeof(T) == 8) return reinterpret_cast<Vec<T>>(_mm512_fmadd_pd(a, b, c));
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) return reinterpret_cast<Vec<T>>(_mm256_fmadd_ps(a, b, c));
    if constexpr (sizeof(T) == 8) return reinterpret_cast<Vec<T>>(_mm256_fmadd_pd(a, b, c));
#elif defined(__aarch64__)
    for (int l = 0; l < static_cast<int>(kLanes<T>); ++l)
        c[l] = sizeof(T) == 4 ? static_cast<T>(__builtin_fmaf(static_cast<float>(a[l]), static_cast<float>(b[l]),
                                                              static_cast<float>(c[l])))
                              : static_cast<T>(__builtin_fma(a[l], b[l], c[l]));
    return c;
#else
    return a * b + c;
#endif
}

/// The first n lanes of p, zeros behind them; reads nothing beyond.
template <class T>
inline Vec<T> load_some(const T* p, Size n) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
        return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1), p));
    if constexpr (sizeof(T) == 8)
        return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << n) - 1), p));
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) {
        const VecI32 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
        const VecI32 mask = lanes < static_cast<int>(n);
        return reinterpret_cast<Vec<T>>(_mm256_maskload_ps(p, reinterpret_cast<__m256i>(mask)));
    }
    if constexpr (sizeof(T) == 8) {
        const VecI64 lanes = {0, 1, 2, 3};
        const VecI64 mask = lanes < static_cast<long long>(n);
        return reinterpret_cast<Vec<T>>(_mm256_maskload_pd(p, reinterpret_cast<__m256i>(mask)));
    }
#else
    Vec<T> v{};
    for (Size i = 0; i < n; ++i) v[i] = p[i];
    return v;
#endif
}

template <class T>
inline void store_some(T* p, Vec<T> v, Size n) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), v);
    if constexpr (sizeof(T) == 8) _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1U << n) - 1), v);
#elif defined(__AVX2__)
    // In pieces of known size: a call that copies n elements takes longer, and a masked store too on AMD's AVX2.
    T from[kLanes<T>];
    store(from, v);
    Size done = 0;
#pragma GCC unroll 8
    for (Size piece = kLanes<T>; piece > 0; piece /= 2)
        if ((n & piece) != 0) {
            __builtin_memcpy(p + done, from + done, static_cast<decltype(sizeof(T))>(piece) * sizeof(T));
            done += piece;
        }
#else
    for (Size i = 0; i < n; ++i) p[i] = v[i];
#endif
}

template <class T>
constexpr typename Simd<T>::IntLane kSignBit = typename Simd<T>::IntLane(1) << (8 * sizeof(T) - 1);

template <class T>
inline Vec<T> absolute(Vec<T> v) noexcept {
    return reinterpret_cast<Vec<T>>(reinterpret_cast<IntVec<T>>(v) & ~kSignBit<T>);
}

/// -|v|.
template <class T>
inline Vec<T> minus_absolute(Vec<T> v) noexcept {
    return reinterpret_cast<Vec<T>>(reinterpret_cast<IntVec<T>>(v) | kSignBit<T>);
}

/// 1 or -1; 0 and NaN stay what they are.
template <class T>
inline Vec<T> sign(Vec<T> v) noexcept {
    return v > Vec<T>{} ? splat(T(1)) : (v < Vec<T>{} ? splat(T(-1)) : v);
}

/// size >= 0 with the sign opposite to that of v.
template <class T>
inline Vec<T> with_opposite_sign(Vec<T> size, Vec<T> v) noexcept {
    return reinterpret_cast<Vec<T>>(reinterpret_cast<IntVec<T>>(size) |
                                    (~reinterpret_cast<IntVec<T>>(v) & kSignBit<T>));
}

/// The larger one; b where one of them is NaN, so the operand whose NaN has to survive comes second.
template <class T>
inline Vec<T> maximum(Vec<T> a, Vec<T> b) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return reinterpret_cast<Vec<T>>(_mm512_maskz_max_ps(0xffff, a, b));
    if constexpr (sizeof(T) == 8) return reinterpret_cast<Vec<T>>(_mm512_maskz_max_pd(0xff, a, b));
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) return reinterpret_cast<Vec<T>>(_mm256_max_ps(a, b));
    if constexpr (sizeof(T) == 8) return reinterpret_cast<Vec<T>>(_mm256_max_pd(a, b));
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4) return reinterpret_cast<Vec<T>>(_mm_max_ps(a, b));
    if constexpr (sizeof(T) == 8) return reinterpret_cast<Vec<T>>(_mm_max_pd(a, b));
#else
    return a > b ? a : b;
#endif
}

/// Is any lane true, which is -1?
template <class T>
inline bool any(IntVec<T> mask) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask)) != 0;
    if constexpr (sizeof(T) == 8) return _mm512_movepi64_mask(reinterpret_cast<__m512i>(mask)) != 0;
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) return _mm256_movemask_ps(reinterpret_cast<__m256>(mask)) != 0;
    if constexpr (sizeof(T) == 8) return _mm256_movemask_pd(reinterpret_cast<__m256d>(mask)) != 0;
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4) return _mm_movemask_ps(reinterpret_cast<__m128>(mask)) != 0;
    if constexpr (sizeof(T) == 8) return _mm_movemask_pd(reinterpret_cast<__m128d>(mask)) != 0;
#else
    const VecI64 lanes = reinterpret_cast<VecI64>(mask);
    return (lanes[0] | lanes[1]) != 0;
#endif
}

/// All lanes: is the sign bit set?
template <class T>
inline IntVec<T> sign_bit(Vec<T> v) noexcept {
    return reinterpret_cast<IntVec<T>>(v) < IntVec<T>{};
}

/// All lanes: -1 if the sign bit is set, else 0.
template <class T>
inline IntVec<T> spread_sign(Vec<T> v) noexcept {
    return reinterpret_cast<IntVec<T>>(v) >> static_cast<typename Simd<T>::IntLane>(8 * sizeof(T) - 1);
}

template <class T>
inline double sum_lanes(Vec<T> v) noexcept {
    double sum = 0;
    for (Size i = 0; i < kLanes<T>; ++i) sum += static_cast<double>(v[i]);
    return sum;
}

/// Sum of vectors of T, lane by lane in double.
template <class T>
struct DoubleSum {
    VecF64 lanes[8 / sizeof(T)] = {};

    void add(Vec<T> v) noexcept {
        if constexpr (sizeof(T) == 8) {
            lanes[0] += v;
        } else {
            typedef float Half __attribute__((vector_size(SAE_FAST_VECTOR_BYTES / 2)));
            Half half[2];
            __builtin_memcpy(half, &v, sizeof v);
            lanes[0] += __builtin_convertvector(half[0], VecF64);
            lanes[1] += __builtin_convertvector(half[1], VecF64);
        }
    }
    double value() const noexcept {
        if constexpr (sizeof(T) == 8) return sum_lanes<double>(lanes[0]);
        return sum_lanes<double>(lanes[0] + lanes[1]);
    }
};

}  // namespace
}  // namespace sae_fast
