// Patches of an image against filters, and pooling.
#pragma once

#include "products.hpp"

namespace sae_fast {
namespace {

/// One tile of `product_patches`: a patch is read where it lies, run after run.
template <class T, int R, int NV>
inline void patch_tile(const Patches<T>& A, Size row, const T* b, T* C) noexcept {
    constexpr Size width = NV * kLanes<T>;
    const T* rows[R];
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) rows[i] = A.rows[row + i];
    Vec<T> acc[R][NV];
    clear_tile<T>(acc);
    for (Size run = 0; run < A.n_runs; ++run) {
        const Size begin = run * A.run_stride;
        const Size end = begin + A.run;
        for (Size k = begin; k < end; ++k, b += width) tile_step<T, R, NV>(rows, k, b, acc);
    }
    store_tile<T>(acc, C);
}

template <class T, int NV>
struct PatchTile {
    template <int R>
    static void run(const Patches<T>* A, Size row, const T* b, T* C) noexcept {
        patch_tile<T, R, NV>(*A, row, b, C);
    }
};

template <class T, int NV>
void product_patches_panel(const Patches<T>& A, Size n_rows, const T* B, T* C) noexcept {
    for (Size r = 0; r < n_rows;) {
        const Size rows = tile_rows(n_rows - r);
        with_rows<PatchTile<T, NV>>(rows, &A, r, B, C + r * NV * kLanes<T>);
        r += rows;
    }
}

template <class T>
void product_patches(const Patches<T>& A, Size n_rows, const T* B, Size n_vec, T* C) noexcept {
    switch (n_vec) {
        case 1:
            return product_patches_panel<T, 1>(A, n_rows, B, C);
        case 2:
            return product_patches_panel<T, 2>(A, n_rows, B, C);
        default:
            return product_patches_panel<T, 3>(A, n_rows, B, C);
    }
}

/// What is known so far of a cell, one vector of units; it waits in memory between strips, in room for doubles.
template <class T, Pooling P>
struct Cell;

template <class T>
struct Cell<T, Pooling::mean> {
    DoubleSum<T> sum;

    // Short sums in T, the long one in double.
    void add(const T* a, Size stride, Size n) noexcept {
        constexpr Size most = 16;
        for (Size r0 = 0; r0 < n; r0 += most) {
            const Size r1 = n < r0 + most ? n : r0 + most;
            Vec<T> some = load(a + r0 * stride);
            for (Size r = r0 + 1; r < r1; ++r) some += load(a + r * stride);
            sum.add(some);
        }
    }
    Vec<T> value(Size n) const noexcept {
        const double count = static_cast<double>(n);
        if constexpr (sizeof(T) == 8) {
            return sum.lanes[0] / count;
        } else {
            typedef float Half __attribute__((vector_size(SAE_FAST_VECTOR_BYTES / 2)));
            const Half half[2] = {__builtin_convertvector(sum.lanes[0] / count, Half),
                                  __builtin_convertvector(sum.lanes[1] / count, Half)};
            Vec<T> v;
            __builtin_memcpy(&v, half, sizeof v);
            return v;
        }
    }
    void keep(double* at) const noexcept { __builtin_memcpy(at, sum.lanes, sizeof sum.lanes); }
    void resume(const double* at) noexcept { __builtin_memcpy(sum.lanes, at, sizeof sum.lanes); }
};

template <class T>
struct Cell<T, Pooling::max> {
    Vec<T> top = splat(-static_cast<T>(__builtin_inf()));

    void add(const T* a, Size stride, Size n) noexcept {
        for (Size r = 0; r < n; ++r) {
            const Vec<T> x = load(a + r * stride);
            top = ((top >= x) | (top != top)) ? top : x;  // a NaN stays, whichever side it comes from
        }
    }
    Vec<T> value(Size) const noexcept { return top; }
    void keep(double* at) const noexcept { __builtin_memcpy(at, &top, sizeof top); }
    void resume(const double* at) noexcept { __builtin_memcpy(&top, at, sizeof top); }
};

template <class T, Pooling P>
void pool_as(const T* a, Size n_rows, Size n_vec, Size n_used, Size cell, Size done, double* kept, T* out,
             Size out_stride) noexcept {
    const Size width = n_vec * kLanes<T>;
    for (Size j = 0; j < n_used; j += kLanes<T>) {
        const Size some = n_used - j;
        T* to = out + j;
        Cell<T, P> state;
        if (done > 0) state.resume(kept + j);
        Size left = cell - done;
        for (Size r = 0; r < n_rows;) {
            const Size n = n_rows - r < left ? n_rows - r : left;
            state.add(a + r * width + j, width, n);
            r += n;
            left -= n;
            if (left > 0) break;  // the strip ends within a cell
            if (some >= kLanes<T>)
                store(to, state.value(cell));
            else
                store_some(to, state.value(cell), some);
            to += out_stride;
            state = {};
            left = cell;
        }
        state.keep(kept + j);
    }
}

template <class T>
void pool(Pooling pooling, const T* a, Size n_rows, Size n_vec, Size n_used, Size cell, Size done, double* kept, T* out,
          Size out_stride) noexcept {
    if (pooling == Pooling::mean)
        return pool_as<T, Pooling::mean>(a, n_rows, n_vec, n_used, cell, done, kept, out, out_stride);
    return pool_as<T, Pooling::max>(a, n_rows, n_vec, n_used, cell, done, kept, out, out_stride);
}

}  // namespace
}  // namespace sae_fast
