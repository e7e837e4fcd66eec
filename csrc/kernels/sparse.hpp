// Rows of few numbers and the matrices that they pick rows from; and what is done to a row before its product.
#pragma once

#include "simd.hpp"

namespace sae_fast {
namespace {

/// out = x - by; false if an element of x is not finite.
template <class T>
bool shift(const T* x, const T* by, Size n, T* out) noexcept {
    Vec<T> nothing{};  // 0 * x, which is NaN where x is not finite
    for (Size i = 0; i < n; i += kLanes<T>) {
        const Size left = n - i;
        const Vec<T> v = left < kLanes<T> ? load_some(x + i, left) : load(x + i);
        nothing += v * T(0);
        if (out == nullptr) continue;
        if (left < kLanes<T>)
            store_some(out + i, v - load_some(by + i, left), left);
        else
            store(out + i, v - load(by + i));
    }
    bool finite = true;
    for (Size i = 0; i < kLanes<T>; ++i) finite = finite && nothing[i] == T(0);
    return finite;
}

// Some columns, in registers, while the rows that are picked go by.
template <class T, int NV>
inline void gather_columns(const T* base, const int* indices, const T* values, Size n, const T* M, Size ld,
                           T* out) noexcept {
    constexpr Size ahead = 4;
    constexpr Size line = 64 / static_cast<Size>(sizeof(T));
    Vec<T> sum[NV];
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) sum[j] = base == nullptr ? Vec<T>{} : load(base + j * kLanes<T>);
    for (Size i = 0; i < n; ++i) {
        const T* row = M + indices[i] * ld;
        const T* coming = M + indices[i + ahead < n ? i + ahead : n - 1] * ld;
#pragma GCC unroll 8
        for (Size c = 0; c < NV * kLanes<T>; c += line) __builtin_prefetch(coming + c, 0, 3);
        const T value = values[i];
#pragma GCC unroll 8
        for (int j = 0; j < NV; ++j) sum[j] += value * load(row + j * kLanes<T>);
    }
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) store(out + j * kLanes<T>, sum[j]);
}

template <class T>
void gather(const T* base, const int* indices, const T* values, Size n, const T* M, Size ld, Size n_cols,
            T* out) noexcept {
    const auto from = [base](Size c) { return base == nullptr ? nullptr : base + c; };
    Size c = 0;
    for (; c + 8 * kLanes<T> <= n_cols; c += 8 * kLanes<T>)
        gather_columns<T, 8>(from(c), indices, values, n, M + c, ld, out + c);
    for (; c + kLanes<T> <= n_cols; c += kLanes<T>)
        gather_columns<T, 1>(from(c), indices, values, n, M + c, ld, out + c);
    if (const Size left = n_cols - c; left > 0) {
        Vec<T> sum = base == nullptr ? Vec<T>{} : load_some(base + c, left);
        for (Size i = 0; i < n; ++i) sum += values[i] * load_some(M + indices[i] * ld + c, left);
        store_some(out + c, sum, left);
    }
}

// By pieces of 16 bytes, which every instruction set adds.
template <class T>
inline T sum_pieces(Vec<T> v) noexcept {
    typedef T Piece __attribute__((vector_size(16)));
    constexpr Size n = 16 / static_cast<Size>(sizeof(T));
    T lanes[kLanes<T>];
    store(lanes, v);
    Piece sum{};
#pragma GCC unroll 4
    for (Size i = 0; i < kLanes<T>; i += n) {
        Piece piece;
        __builtin_memcpy(&piece, lanes + i, sizeof piece);
        sum += piece;
    }
    if constexpr (n == 4) return (sum[0] + sum[1]) + (sum[2] + sum[3]);
    return sum[0] + sum[1];
}

// R rows at a time, so that their chains of sums run side by side.
template <class T, int R>
inline void pick_some_dots(const T* x, const int* indices, const T* M, Size ld, Size n_cols, T* out) noexcept {
    const T* rows[R];
    Vec<T> even[R], odd[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
        rows[r] = M + indices[r] * ld;
        even[r] = odd[r] = Vec<T>{};
    }
    Size c = 0;
    for (; c + 2 * kLanes<T> <= n_cols; c += 2 * kLanes<T>)
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            even[r] += load(x + c) * load(rows[r] + c);
            odd[r] += load(x + c + kLanes<T>) * load(rows[r] + c + kLanes<T>);
        }
    for (; c < n_cols; c += kLanes<T>) {
        const Size left = n_cols - c < kLanes<T> ? n_cols - c : kLanes<T>;
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r)
            even[r] += left == kLanes<T> ? load(x + c) * load(rows[r] + c)
                                         : load_some(x + c, left) * load_some(rows[r] + c, left);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) out[r] = sum_pieces<T>(even[r] + odd[r]);
}

// The rows have just been read by gather(), as a rule, so nothing is asked for in advance.
template <class T>
void pick_dots(const T* x, const int* indices, Size n, const T* M, Size ld, Size n_cols, T* out) noexcept {
    Size i = 0;
    for (; i + 4 <= n; i += 4) pick_some_dots<T, 4>(x, indices + i, M, ld, n_cols, out + i);
    for (; i < n; ++i) pick_some_dots<T, 1>(x, indices + i, M, ld, n_cols, out + i);
}

}  // namespace
}  // namespace sae_fast
