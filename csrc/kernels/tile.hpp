// Micro-kernels: a tile of C stays in registers while k runs.
#pragma once

#include "simd.hpp"

namespace sae_fast {
namespace {

/// Steps of k for which a product asks once. A tile's share of a panel that comes from far away is some bytes a step,
/// so that a step each would ask for a line many times. They are unrolled; where multiply and add are two instructions,
/// compilers would run out of registers.
#if SAE_FAST_VECTOR_BYTES == 64
constexpr Size kAskSteps = 2;
#elif SAE_FAST_VECTOR_BYTES == 32
constexpr Size kAskSteps = 4;
#else
constexpr Size kAskSteps = 1;
#endif

/// Memory that will be read soon, asked for a little with each kAskSteps of k, since a burst would keep the kernel's
/// own reads waiting.
template <class T>
struct Trickle {
    const T* at;
    Size step;

    inline void ask() noexcept {
        __builtin_prefetch(at, 0, 2);
        at += step;
    }
};

/// Asks for columns of rows row ... row + n_rows - 1.
template <int Write, class T>
inline void prefetch(const Ask<T>& ask, Size row, Size n_rows) noexcept {
    constexpr Size line = 64 / static_cast<Size>(sizeof(T));
    for (Size i = row; i < row + n_rows; ++i)
        for (Size k = 0; k < ask.n; k += line) __builtin_prefetch(ask.data + i * ask.ld + k, Write, Write != 0 ? 3 : 2);
}

/// acc (R, NV vectors) += number(i) for each row i, times what is at b.
template <class T, int R, int NV, class Number>
inline void add_outer(Number number, const T* b, Vec<T> (&acc)[R][NV]) noexcept {
    if constexpr (NV > R) {  // of 16 registers there are enough for the numbers, and not for b
        Vec<T> x[R];
#pragma GCC unroll 16
        for (int i = 0; i < R; ++i) x[i] = splat(number(i));
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) {
            const Vec<T> bv = load(b + j * kLanes<T>);
#pragma GCC unroll 16
            for (int i = 0; i < R; ++i) acc[i][j] += x[i] * bv;
        }
        return;
    }
    Vec<T> bv[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) bv[j] = load(b + j * kLanes<T>);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
        const T x = number(i);
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] += x * bv[j];
    }
}

/// acc (R, NV vectors) += the numbers k of the rows times what is at b.
template <class T, int R, int NV>
inline void tile_step(const T* const (&rows)[R], Size k, const T* b, Vec<T> (&acc)[R][NV]) noexcept {
    add_outer<T, R, NV>([&](int i) { return rows[i][k]; }, b, acc);
}

/// C (R, NV vectors, width apart) (+)= sum over k of a[i * a_stride + k] * b[k].
template <class T, int R, int NV>
inline void tile_product(const T* a, Size a_stride, Size n_k, const T* b, Vec<T> (&acc)[R][NV],
                         Trickle<T>& trickle) noexcept {
    constexpr Size width = NV * kLanes<T>;
    const T* rows[R];
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) rows[i] = a + i * a_stride;
    Size k = 0;
    for (; k + kAskSteps <= n_k; k += kAskSteps, b += kAskSteps * width) {
        trickle.ask();
#pragma GCC unroll 4
        for (Size j = 0; j < kAskSteps; ++j) tile_step<T, R, NV>(rows, k + j, b + j * width, acc);
    }
    for (; k < n_k; ++k, b += width) tile_step<T, R, NV>(rows, k, b, acc);
}

template <class T, int R, int NV>
inline void load_tile(Vec<T> (&acc)[R][NV], const T* C) noexcept {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] = load(C + (i * NV + j) * kLanes<T>);
}

template <class T, int R, int NV>
inline void clear_tile(Vec<T> (&acc)[R][NV]) noexcept {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] = Vec<T>{};
}

template <class T, int R, int NV>
inline void store_tile(const Vec<T> (&acc)[R][NV], T* C) noexcept {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) store(C + (i * NV + j) * kLanes<T>, acc[i][j]);
}

/// One row tile of `product` over the panels p0 ... p1 - 1 of A; continues C's chains unless `first`.
template <class T, int R, int NV>
void product_tile(const Left<T>& A, Size row, const PanelSplit& split, Size p0, Size p1, const T* b, T* C, bool first,
                  Trickle<T> trickle) noexcept {
    Vec<T> acc[R][NV];
    if (first)
        clear_tile<T>(acc);
    else
        load_tile<T>(acc, C);
    if (A.ld > 0) {
        const Size begin = split.offset(p0);
        const Size end = p1 == split.count() ? split.n : split.offset(p1);
        tile_product<T, R, NV>(A.data + (A.row0 + row) * A.ld + begin, A.ld, end - begin, b, acc, trickle);
    } else {
        Size at = split.offset(p0);
        for (Size p = p0; p < p1; ++p) {
            const Size width = split.width(p);
            const Size used = split.n - at < width ? split.n - at : width;
            tile_product<T, R, NV>(A.data + at * A.capacity + (A.row0 + row) * width, width, used, b, acc, trickle);
            b += used * NV * kLanes<T>;
            at += width;
        }
    }
    store_tile<T>(acc, C);
}

/// One tile of `outer`: C (R, NV vectors) (+)= sum over k of a[k * a_stride + i] * b[k * b_stride].
template <class T, int R, int NV>
void outer_tile(const T* a, Size a_stride, Size n_k, const T* b, Size b_stride, T* C, bool accumulate,
                Size ahead) noexcept {
    constexpr Size width = NV * kLanes<T>;
    if (accumulate) {
        // C comes from far away when the gradient is large, and is wanted all at once when k ends.
        constexpr Size line = 64 / static_cast<Size>(sizeof(T));
#pragma GCC unroll 32
        for (Size i = 0; i < R * width; i += line) __builtin_prefetch(C + i, 1, 3);
    }
    Vec<T> acc[R][NV];
    clear_tile<T>(acc);
    for (Size k = 0; k < n_k; ++k, a += a_stride, b += b_stride) {
        __builtin_prefetch(a + ahead, 0, 2);
        add_outer<T, R, NV>([&](int i) { return a[i]; }, b, acc);
    }
    if (accumulate) {
#pragma GCC unroll 16
        for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
            for (int j = 0; j < NV; ++j) acc[i][j] += load(C + (i * NV + j) * kLanes<T>);
    }
    store_tile<T>(acc, C);
}

/// Independent chains, enough to hide the latency of two multiply-add units, and few enough for 16 registers.
template <class T>
Size multiply_adds(Size rounds, T* sink) noexcept {
    constexpr int chains = 12;
    Vec<T> acc[chains];
    const Vec<T> factor = splat(T(0.999)), term = splat(T(0.001));
#pragma GCC unroll 16
    for (int j = 0; j < chains; ++j)
        acc[j] = splat(static_cast<T>(j + 2));  // 1 is a fixed point, which the compiler would see
    for (Size i = 0; i < rounds; ++i) {
#pragma GCC unroll 16
        for (int j = 0; j < chains; ++j) acc[j] = acc[j] * factor + term;
    }
    T total = 0;
#pragma GCC unroll 16
    for (int j = 0; j < chains; ++j) total += acc[j][0];
    *sink = total;
    return rounds * chains * kLanes<T>;
}

/// Reads n elements once, whole vectors of them: the least that a product with one row does. Returns something of them.
template <class T>
T read_once(const T* x, Size n) noexcept {
    constexpr int chains = 8;
    Vec<T> acc[chains] = {};
    for (Size i = 0; i + chains * kLanes<T> <= n; i += chains * kLanes<T>)
#pragma GCC unroll 8
        for (int j = 0; j < chains; ++j) acc[j] += load(x + i + j * kLanes<T>);
    for (int j = 1; j < chains; ++j) acc[0] += acc[j];
    return acc[0][0];
}

/// Rows of a tile of NV vectors at most: kTileRows + 1 where registers allow, and fewer of four vectors.
template <int NV>
constexpr int kMostRows = NV == 4          ? kTileRows * 3 / 4
                          : kTileRows == 8 ? 9
                                           : 4;

/// Rows of the next tile when n are left: tiles of nearly equal height.
template <int NV = 3>
inline Size tile_rows(Size n) noexcept {
    constexpr Size whole = NV == 4 ? kTileRows * 3 / 4 : kTileRows;
    constexpr Size most = kMostRows<NV>;
    if (n <= most) return n;
    const Size tiles = (n + most - 1) / most;
    return (n % whole == 0) ? whole : (n + tiles - 1) / tiles;
}

}  // namespace
}  // namespace sae_fast
