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

// As many elements as V has, in double. V: double, or a vector of them.
template <class V, class T>
inline V load_as(const T* x) noexcept {
    if constexpr (sizeof(V) == sizeof(double)) {
        return static_cast<double>(*x);
    } else {
        typedef T Some __attribute__((vector_size(kLanes<double> * sizeof(T))));
        Some some;
        __builtin_memcpy(&some, x, sizeof some);
        return __builtin_convertvector(some, V);
    }
}

template <class V>
inline void store_as(double* to, V v) noexcept {
    __builtin_memcpy(to, &v, sizeof v);
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
        for (int r = 0; r < NR; ++r)
#pragma GCC unroll 2
            for (int i = 0; i < kWide<T>; ++i) sum[i] += load_as<VecF64>(X + r * ld + c + i * kLanes<double>);
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

// How many of NR rows stray; they walk along the columns together: the range is read once for all of them.
template <class T, int NR>
inline Size some_strays(const T* X, Size ld, Size n_cols, const T* low, const T* high) noexcept {
    IntVec<T> found[NR] = {};
    Size c = 0;
    for (; c + kLanes<T> <= n_cols; c += kLanes<T>) {
        const Vec<T> least = load(low + c);
        const Vec<T> most = load(high + c);
#pragma GCC unroll 4
        for (int r = 0; r < NR; ++r) {
            const Vec<T> x = load(X + r * ld + c);
            found[r] |= (x < least) | (x > most);
        }
    }
    Size n = 0;
    for (int r = 0; r < NR; ++r) {
        bool beyond = any<T>(found[r]);
        for (Size e = c; e < n_cols; ++e) beyond |= X[r * ld + e] < low[e] || X[r * ld + e] > high[e];
        n += beyond ? 1 : 0;
    }
    return n;
}

template <class T>
Size count_strays(const T* X, Size ld, Size n_rows, Size n_cols, const T* low, const T* high) noexcept {
    Size n = 0;
    Size r = 0;
    for (; r + 4 <= n_rows; r += 4) n += some_strays<T, 4>(X + r * ld, ld, n_cols, low, high);
    for (; r < n_rows; ++r) n += some_strays<T, 1>(X + r * ld, ld, n_cols, low, high);
    return n;
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

// The smaller one. V: double, or a vector of them.
template <class V>
inline V smaller(V a, V b) noexcept {
    return a < b ? a : b;
}

// How far each x goes between two edges is what lies between the x that both cut off. NR rows walk along the edges
// together: a sum is read and written once for all of them, and goes on from row to row.
template <class V, class T, int NR>
inline void add_some_areas(const T* X, Size ld, Size n_cols, const T* edges, Size n_edges, double* areas) noexcept {
    V x[NR];
    V below[NR];
    const V first = load_as<V>(edges);
    V sum = load_as<V>(areas);
#pragma GCC unroll 4
    for (int r = 0; r < NR; ++r) {
        x[r] = load_as<V>(X + r * ld);
        below[r] = smaller(x[r], first);
        sum += first - below[r];
    }
    store_as(areas, sum);
    for (Size e = 1; e < n_edges; ++e) {
        const V edge = load_as<V>(edges + e * n_cols);
        sum = load_as<V>(areas + e * n_cols);
#pragma GCC unroll 4
        for (int r = 0; r < NR; ++r) {
            const V cut = smaller(x[r], edge);
            sum += cut - below[r];
            below[r] = cut;
        }
        store_as(areas + e * n_cols, sum);
    }
    sum = load_as<V>(areas + n_edges * n_cols);
#pragma GCC unroll 4
    for (int r = 0; r < NR; ++r) sum += x[r] - below[r];
    store_as(areas + n_edges * n_cols, sum);
}

template <class T>
void add_areas(const T* X, Size ld, Size n_rows, Size n_cols, const T* edges, Size n_edges, double* areas) noexcept {
    const auto columns = [=](auto zero, Size c) {
        using V = decltype(zero);
        Size r = 0;
        for (; r + 4 <= n_rows; r += 4)
            add_some_areas<V, T, 4>(X + r * ld + c, ld, n_cols, edges + c, n_edges, areas + c);
        for (; r < n_rows; ++r) add_some_areas<V, T, 1>(X + r * ld + c, ld, n_cols, edges + c, n_edges, areas + c);
    };
    Size c = 0;
    for (; c + kLanes<double> <= n_cols; c += kLanes<double>) columns(VecF64{}, c);
    for (; c < n_cols; ++c) columns(0.0, c);
}

// Sums, smallest and largest of n_rows numbers of each column; NaN of none. V: double, or a vector of them.
template <class V, class T>
inline void reduce_column(const T* X, Size ld, Size n_rows, double* sum, double* low, double* high) noexcept {
    const V none = V{} + __builtin_nan("");
    V total = n_rows > 0 ? V{} : none;
    V smallest = n_rows > 0 ? load_as<V>(X) : none;
    V largest = smallest;
    for (Size r = 0; r < n_rows; ++r) {
        const V x = load_as<V>(X + r * ld);
        total += x;
        smallest = x < smallest ? x : smallest;
        largest = x > largest ? x : largest;
    }
    store_as(sum, total);
    store_as(low, smallest);
    store_as(high, largest);
}

template <class T>
void reduce_rows(const T* X, Size n_rows, Size n_cols, double* sum, double* low, double* high) noexcept {
    Size c = 0;
    for (; c + kLanes<double> <= n_cols; c += kLanes<double>)
        reduce_column<VecF64>(X + c, n_cols, n_rows, sum + c, low + c, high + c);
    for (; c < n_cols; ++c) reduce_column<double>(X + c, n_cols, n_rows, sum + c, low + c, high + c);
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
