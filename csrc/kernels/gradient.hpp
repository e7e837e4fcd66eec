// Weight gradients of few samples: the sums over samples are so short that storing them in a panel, to finish them from
// there, would take as long as the multiply-adds. A tile ends as rows of the gradient.
#pragma once

#include "products.hpp"

namespace sae_fast {
namespace {

/// What ends a gradient: grad = scale * product + decay * W. Both matrices have n_cols columns, and rows one behind the
/// other.
template <class T>
struct Ending {
    T scale, decay;
    const T* W;
    T* grad;
    Size n_cols;
};

/// Rows row ... row + R - 1 and NV vectors of columns from `column` on. Lanes beyond a row are written too, over the
/// beginning of the next row, which is made later; not so in the last row of all.
template <class T, int R, int NV>
void gradient_tile(const Left<T>& A, Size row, const PanelSplit& samples, const T* B, Size b_stride,
                   const Ending<T>& ending, Size column, bool last) noexcept {
    constexpr Size n = kLanes<T>;
    const Size n_cols = ending.n_cols;
    const T* W = ending.W + row * n_cols + column;
    T* grad = ending.grad + row * n_cols + column;
    prefetch<0>(Ask<T>{W, n_cols, NV * n}, 0, R);
    prefetch<1>(Ask<T>{grad, n_cols, NV * n}, 0, R);
    Vec<T> acc[R][NV];
    clear_tile<T>(acc);
    const T* b = B + column;
    for (Size p = 0, at = 0; at < samples.n; ++p) {
        const Size width = (p < samples.n_wide ? 3 : samples.rest) * n;
        const Size n_k = samples.n - at < width ? samples.n - at : width;
        const T* rows[R];
#pragma GCC unroll 16
        for (int i = 0; i < R; ++i) rows[i] = A.data + at * A.capacity + (A.row0 + row + i) * width;
        for (Size k = 0; k < n_k; ++k, b += b_stride) tile_step<T, R, NV>(rows, k, b, acc);
        at += width;
    }
    const Vec<T> scale = splat(ending.scale), decay = splat(ending.decay);
    const Size used = last ? n_cols - column - (NV - 1) * n : n;  // lanes that the last vector may write
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i, W += n_cols, grad += n_cols) {
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) {
            const bool some = i + 1 == R && j + 1 == NV && used < n;
            const Vec<T> w = some ? load_some(W + j * n, used) : load(W + j * n);
            const Vec<T> g = multiply_add<T>(scale, acc[i][j], decay * w);
            if (some)
                store_some(grad + j * n, g, used);
            else
                store(grad + j * n, g);
        }
    }
}

template <class T, int NV>
struct GradientTile {
    template <int R>
    static void run(const Left<T>* A, Size row, const PanelSplit* samples, const T* B, Size b_stride,
                    const Ending<T>* ending, Size column, bool last) noexcept {
        gradient_tile<T, R, NV>(*A, row, *samples, B, b_stride, *ending, column, last);
    }
};

template <class T, int NV>
void gradient_block(const Left<T>& A, Size n_rows, const PanelSplit& samples, const T* B, Size b_stride,
                    const Ending<T>& ending, Size column) noexcept {
    for (Size r = 0; r < n_rows;) {
        const Size rows = tile_rows<NV>(n_rows - r);
        with_rows<GradientTile<T, NV>, kMostRows<NV>>(rows, &A, r, &samples, B, b_stride, &ending, column,
                                                      r + rows == n_rows);
        r += rows;
    }
}

/// Vectors of the last block of columns, when these are the first `n_vec` of them: four keep registers as busy as
/// three, and one is left only when there is one.
inline Size block_vectors(Size n_vec) noexcept {
    if (n_vec <= 4) return n_vec;
    return n_vec % 4 == 0 || n_vec % 4 == 3 ? 4 : 3;
}

// The last block of columns first, since what is written beyond it is the beginning of rows.
template <class T>
void gradient_rows(const Left<T>& A, Size n_rows, const PanelSplit& samples, const T* B, Size b_stride, Size n_cols,
                   T scale, T decay, const T* W, T* grad) noexcept {
    const Ending<T> ending{scale, decay, W, grad, n_cols};
    for (Size left = (n_cols + kLanes<T> - 1) / kLanes<T>; left > 0;) {
        const Size n_vec = block_vectors(left);
        left -= n_vec;
        const Size column = left * kLanes<T>;
        switch (n_vec) {
            case 1:
                gradient_block<T, 1>(A, n_rows, samples, B, b_stride, ending, column);
                break;
            case 2:
                gradient_block<T, 2>(A, n_rows, samples, B, b_stride, ending, column);
                break;
            case 3:
                gradient_block<T, 3>(A, n_rows, samples, B, b_stride, ending, column);
                break;
            default:
                gradient_block<T, 4>(A, n_rows, samples, B, b_stride, ending, column);
        }
    }
}

}  // namespace
}  // namespace sae_fast
