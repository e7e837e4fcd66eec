// Statistics of rows that are watched: column sums, ranges, counts and areas between edges, distances.
#pragma once

#include "simd.hpp"

namespace sae_fast {
namespace {

/// A vector of T in double, in its order.
template <class T>
constexpr int kWide = 8 / sizeof(T);

template <class T>
inline void widen(Vec<T> v, VecF64* wide) noexcept {
    if constexpr (sizeof(T) == 8) {
        wide[0] = v;
    } else {
        typedef float Half __attribute__((vector_size(SAE_FAST_VECTOR_BYTES / 2)));
        Half half[2];
        __builtin_memcpy(half, &v, sizeof v);
        wide[0] = __builtin_convertvector(half[0], VecF64);
        wide[1] = __builtin_convertvector(half[1], VecF64);
    }
}

// NR rows in one walk along the columns: the total is read and written once for all of them.
template <class T, int NR>
inline void add_some_rows(const T* X, Size ld, Size n_cols, double* total) noexcept {
    Size c = 0;
    for (; c + kLanes<T> <= n_cols; c += kLanes<T>) {
        VecF64 sum[kWide<T>];
#pragma GCC unroll 2
        for (int i = 0; i < kWide<T>; ++i) sum[i] = load(total + c + i * kLanes<double>);
#pragma GCC unroll 4
        for (int r = 0; r < NR; ++r) {
            VecF64 x[kWide<T>];
            widen<T>(load(X + r * ld + c), x);
#pragma GCC unroll 2
            for (int i = 0; i < kWide<T>; ++i) sum[i] += x[i];
        }
#pragma GCC unroll 2
        for (int i = 0; i < kWide<T>; ++i) store(total + c + i * kLanes<double>, sum[i]);
    }
    for (; c < n_cols; ++c)
        for (int r = 0; r < NR; ++r) total[c] += static_cast<double>(X[r * ld + c]);
}

template <class T>
void add_rows(const T* X, Size ld, Size n_rows, Size n_cols, double* total) noexcept {
    Size r = 0;
    for (; r + 4 <= n_rows; r += 4) add_some_rows<T, 4>(X + r * ld, ld, n_cols, total);
    for (; r < n_rows; ++r) add_some_rows<T, 1>(X + r * ld, ld, n_cols, total);
}

template <class T>
bool strays(const T* x, const T* low, const T* high, Size n) noexcept {
    IntVec<T> found{};
    Size c = 0;
    for (; c + kLanes<T> <= n; c += kLanes<T>) {
        const Vec<T> v = load(x + c);
        found |= (v < load(low + c)) | (v > load(high + c));
    }
    bool beyond = any<T>(found);
    for (; c < n; ++c) beyond |= x[c] < low[c] || x[c] > high[c];
    return beyond;
}

template <class T>
void count_above(const T* X, Size ld, Size n_rows, Size n_cols, const T* edges, Size n_edges, Size* counts) noexcept {
    Size c = 0;
    for (; c + kLanes<T> <= n_cols; c += kLanes<T>)
        for (Size e = 0; e < n_edges; ++e) {
            const Vec<T> edge = load(edges + e * n_cols + c);
            IntVec<T> above{};
            for (Size r = 0; r < n_rows; ++r) above -= load(X + r * ld + c) > edge;
            for (Size i = 0; i < kLanes<T>; ++i) counts[e * n_cols + c + i] += static_cast<Size>(above[i]);
        }
    for (; c < n_cols; ++c)
        for (Size e = 0; e < n_edges; ++e)
            for (Size r = 0; r < n_rows; ++r) counts[e * n_cols + c] += X[r * ld + c] > edges[e * n_cols + c] ? 1 : 0;
}

// What of x lies above `from`, at most as far as `to`. V: double, or a vector of them.
template <class V>
inline V part_above(V x, V from, V to) noexcept {
    const V end = x < to ? x : to;
    return end > from ? end - from : V{};
}

// Every sum goes from row to row, on from what is there: cuts between calls are not seen in it.
template <class T>
void add_areas(const T* X, Size ld, Size n_rows, Size n_cols, const T* edges, Size n_edges, double* areas) noexcept {
    Size c = 0;
    for (; c + kLanes<T> <= n_cols; c += kLanes<T>)
        for (Size e = 0; e <= n_edges; ++e) {
            VecF64 from[kWide<T>];
            VecF64 to[kWide<T>];
            VecF64 sum[kWide<T>];
            widen<T>(load(edges + (e > 0 ? e - 1 : 0) * n_cols + c), from);
            widen<T>(load(edges + (e < n_edges ? e : 0) * n_cols + c), to);
            for (int i = 0; i < kWide<T>; ++i) sum[i] = load(areas + e * n_cols + c + i * kLanes<double>);
            for (Size r = 0; r < n_rows; ++r) {
                VecF64 x[kWide<T>];
                widen<T>(load(X + r * ld + c), x);
                for (int i = 0; i < kWide<T>; ++i)
                    sum[i] +=
                        e == 0 ? part_above(to[i], x[i], to[i]) : part_above(x[i], from[i], e < n_edges ? to[i] : x[i]);
            }
            for (int i = 0; i < kWide<T>; ++i) store(areas + e * n_cols + c + i * kLanes<double>, sum[i]);
        }
    for (; c < n_cols; ++c)
        for (Size e = 0; e <= n_edges; ++e)
            for (Size r = 0; r < n_rows; ++r) {
                const auto x = static_cast<double>(X[r * ld + c]);
                const auto from = static_cast<double>(edges[(e > 0 ? e - 1 : 0) * n_cols + c]);
                const auto to = static_cast<double>(edges[(e < n_edges ? e : 0) * n_cols + c]);
                areas[e * n_cols + c] += e == 0 ? part_above(to, x, to) : part_above(x, from, e < n_edges ? to : x);
            }
}

template <class T>
double squared_distance(const T* a, const T* b, Size n) noexcept {
    VecF64 sum[kWide<T>] = {};
    Size c = 0;
    for (; c + kLanes<T> <= n; c += kLanes<T>) {
        VecF64 x[kWide<T>];
        VecF64 y[kWide<T>];
        widen<T>(load(a + c), x);
        widen<T>(load(b + c), y);
#pragma GCC unroll 2
        for (int i = 0; i < kWide<T>; ++i) sum[i] += (x[i] - y[i]) * (x[i] - y[i]);
    }
    double total = 0;
    for (int i = 0; i < kWide<T>; ++i) total += sum_lanes<double>(sum[i]);
    for (; c < n; ++c) {
        const double apart = static_cast<double>(a[c]) - static_cast<double>(b[c]);
        total += apart * apart;
    }
    return total;
}

}  // namespace
}  // namespace sae_fast
