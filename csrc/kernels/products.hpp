// The two products on panels, and the movement of matrices into and out of panels.
#pragma once

#include "machine/machine.hpp"
#include "shared.hpp"

namespace sae_fast {
namespace {

/// Columns of activations that several strips meet a panel of weights with, in turn. With AVX2 a panel of three vectors
/// is read anew for every 4 rows, 16 bytes in each cycle: 256 x 96 bytes of it are 24 KB, which stay in the first-level
/// cache. 2048 columns took 15 % less time than in parts of 832; with 16 bytes to a vector 3 %. With AVX-512 such a
/// panel would have 128 rows, and sums would come and go too often: 208 to 416 took 1 % more.
#if SAE_FAST_VECTOR_BYTES <= 32
constexpr Size kPartOfStrips = 256;
#else
constexpr Size kPartOfStrips = kPartColumns;
#endif

// Calls F::run<R>(...) with R = rows (1 ... Most) known to the compiler.
template <class F, int Most = kMostRows<3>, class... Args>
inline void with_rows(Size rows, Args... args) noexcept {
    switch (rows) {
        case 1:
            return F::template run<1>(args...);
        case 2:
            return F::template run<2>(args...);
        case 3:
            return F::template run<3>(args...);
        case 4:
            if constexpr (Most >= 4) return F::template run<4>(args...);
            break;
        case 5:
            if constexpr (Most >= 5) return F::template run<5>(args...);
            break;
        case 6:
            if constexpr (Most >= 6) return F::template run<6>(args...);
            break;
        case 7:
            if constexpr (Most >= 7) return F::template run<7>(args...);
            break;
        case 8:
            if constexpr (Most >= 8) return F::template run<8>(args...);
            break;
        default:
            if constexpr (Most >= 9) return F::template run<9>(args...);
    }
    __builtin_unreachable();
}

template <class T, int NV>
struct ProductTile {
    template <int R>
    static void run(const Left<T>* A, Size row, const PanelSplit* split, Size p0, Size p1, const T* b, T* C, bool first,
                    Trickle<T> trickle) noexcept {
        product_tile<T, R, NV>(*A, row, *split, p0, p1, b, C, first, trickle);
    }
};

template <class T, int NV>
struct OuterTile {
    template <int R>
    static void run(const T* a, Size a_stride, Size n_k, const T* b, Size b_stride, T* C, bool accumulate,
                    Size ahead) noexcept {
        outer_tile<T, R, NV>(a, a_stride, n_k, b, b_stride, C, accumulate, ahead);
    }
};

template <class T, int NV>
void product_panel(const Left<T>& A, Size n_rows, const PanelSplit& split, Panels part, const T* B, T* C) noexcept {
    constexpr Size width = NV * kLanes<T>;
    for (Panels p = part; p.begin < part.end; p.begin = p.end) {
        p = split.part(p.begin, kPartColumns, part.end);
        const T* b = B + split.offset(p.begin) * width;
        for (Size r = 0; r < n_rows;) {
            const Size rows = tile_rows<NV>(n_rows - r);
            if (p.begin == part.begin) {
                prefetch<0>(A.ask, r, rows);
                prefetch<1>(A.ask_out, r, rows);
            }
            Trickle<T> trickle{b, 0};
            if (A.coming != nullptr && p.begin == part.begin) {  // all of it, in the steps of this part
                const Size steps = n_rows * split.columns(p);
                trickle = {A.coming + r * A.n_coming / n_rows, (rows * A.n_coming * kAskSteps + steps - 1) / steps};
            }
            with_rows<ProductTile<T, NV>, kMostRows<NV>>(rows, &A, r, &split, p.begin, p.end, b, C + r * width,
                                                         p.begin == 0, trickle);
            r += rows;
        }
    }
}

template <class T>
void product(const Left<T>& A, Size n_rows, Size n_k, Panels part, const T* B, PanelShape shape, T* C) noexcept {
    const PanelSplit split(n_k, kVector<T>);
    if (part.end > split.count()) part.end = split.count();
    if (shape.ways > 1 && shape.vectors == 1)
        return with_ways<T, InterleavedPanel>(shape.ways, &A, n_rows, &split, part, B, C);
    if (shape.ways > 1) {  // in one go, when the last part is asked for
        if (part.end == split.count())
            with_both_ways<T, SharedPanel>(shape.ways, shape.ways2, &A, n_rows, &split, B, C, 2 * kLanes<T>);
        return;
    }
    switch (shape.vectors) {
        case 1:
            return product_panel<T, 1>(A, n_rows, split, part, B, C);
        case 2:
            return product_panel<T, 2>(A, n_rows, split, part, B, C);
        case kSampleVectors:
            return product_panel<T, kSampleVectors>(A, n_rows, split, part, B, C);
        default:
            return product_panel<T, 3>(A, n_rows, split, part, B, C);
    }
}

template <class T>
void product_dense(const Left<T>& A, Size n_rows, Size n_k, const T* B, PanelShape shape, T* C, Size ld) noexcept {
    const PanelSplit split(n_k, kVector<T>);
    with_both_ways<T, SharedPanel>(shape.ways, shape.ways2, &A, n_rows, &split, B, C, ld);
}

template <class T, int NV>
void outer_panel(const T* A, Size a_stride, Size n_i, const T* B, Size b_stride, Size n_k, T* C, bool accumulate,
                 Size ahead) noexcept {
    for (Size i = 0; i < n_i;) {
        const Size rows = tile_rows<NV>(n_i - i);
        with_rows<OuterTile<T, NV>, kMostRows<NV>>(rows, A + i, a_stride, n_k, B, b_stride, C + i * NV * kLanes<T>,
                                                   accumulate, ahead);
        i += rows;
    }
}

template <class T>
void outer(const T* A, Size a_stride, Size n_i, const T* B, Size b_stride, Size n_vec, Size n_k, T* C, bool accumulate,
           Size ahead) noexcept {
    switch (n_vec) {
        case 1:
            return outer_panel<T, 1>(A, a_stride, n_i, B, b_stride, n_k, C, accumulate, ahead);
        case 2:
            return outer_panel<T, 2>(A, a_stride, n_i, B, b_stride, n_k, C, accumulate, ahead);
        case kSampleVectors:
            return outer_panel<T, kSampleVectors>(A, a_stride, n_i, B, b_stride, n_k, C, accumulate, ahead);
        default:
            return outer_panel<T, 3>(A, a_stride, n_i, B, b_stride, n_k, C, accumulate, ahead);
    }
}

// The first panels, row after row, as the source lies in memory.
template <class T>
inline void pack_panels(const PanelSplit& split, Size n_panels, const T* src, Size src_stride, Size n_rows, T* dst,
                        Size capacity, Size row0) noexcept {
    for (Size r = 0; r < n_rows; ++r, src += src_stride)
        for (Size p = 0; p < n_panels; ++p) {
            const Size width = split.width(p);
            const Size used = split.used(p);
            const Size whole = used / kLanes<T>;
            const T* from = src + split.offset(p);
            T* to = dst + split.offset(p) * capacity + (row0 + r) * width;
            for (Size j = 0; j < whole; ++j) store(to + j * kLanes<T>, load(from + j * kLanes<T>));
            if (used % kLanes<T> != 0)
                store(to + whole * kLanes<T>, load_some(from + whole * kLanes<T>, used % kLanes<T>));
        }
}

template <class T>
void pack_rows(const T* src, Size src_stride, Size n_rows, Size n_cols, T* dst, Size capacity, Size row0) noexcept {
    const PanelSplit split(n_cols, kVector<T>);
    pack_panels(split, split.count(), src, src_stride, n_rows, dst, capacity, row0);
}

template <class T>
void pack_right(const T* src, Size src_stride, Size n_rows, Size n_cols, T* dst, Size capacity, Size row0) noexcept {
    const PanelSplit split(n_cols, kVector<T>);
    constexpr Size n = kLanes<T>;
    const Size p = split.n_plain();
    pack_panels(split, p, src, src_stride, n_rows, dst, capacity, row0);
    if (p == split.count()) return;
    src += split.offset(p);
    dst += split.offset(p) * capacity;
    if (split.apart())
        return pack_interleaved(src, src_stride, Size(1), n_rows, split.used(p), split.ways,
                                dst + row0 / split.ways * n);
    src -= row0 * src_stride;
    for (Size k = row0; k < row0 + n_rows; ++k)
        store(dst + whole_at(k, split.ways, split.ways2) * n, load(src + k * src_stride));
    pack_shared(src + n, src_stride, Size(1), row0, row0 + n_rows, split.used(p) - n, split.ways, split.ways2, dst);
}

template <class T>
void unpack_rows(const T* src, Size capacity, Size row0, Size n_rows, Size n_cols, T* dst, Size dst_stride) noexcept {
    const PanelSplit split(n_cols, kVector<T>);
    for (Size p = 0; p < split.count(); ++p) {
        const Size width = split.width(p);
        const Size used = split.used(p);
        const Size whole = used / kLanes<T>;
        const Size some = used % kLanes<T>;
        const T* from = src + split.offset(p) * capacity + row0 * width;
        T* to = dst + split.offset(p);
        for (Size r = 0; r < n_rows; ++r, from += width, to += dst_stride) {
            for (Size j = 0; j < whole; ++j) store(to + j * kLanes<T>, load(from + j * kLanes<T>));
            if (some != 0) store_some(to + whole * kLanes<T>, load(from + whole * kLanes<T>), some);
        }
    }
}

// In-register transposition of L x L blocks: log2(L) rounds that swap the off-diagonal halves of ever smaller blocks.
template <class T, int Step>
inline void transpose_round(Vec<T>* v) noexcept {
    constexpr int n = static_cast<int>(kLanes<T>);
    IntVec<T> low{}, high{};
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) {
        low[i] = (i & Step) != 0 ? n + i - Step : i;
        high[i] = (i & Step) != 0 ? n + i : i + Step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) {
        if ((i & Step) != 0) continue;
        const Vec<T> a = v[i];
        const Vec<T> b = v[i + Step];
#if defined(__clang__)
        for (int lane = 0; lane < n; ++lane) {
            v[i][lane] = low[lane] < n ? a[low[lane]] : b[low[lane] - n];
            v[i + Step][lane] = high[lane] < n ? a[high[lane]] : b[high[lane] - n];
        }
#else
        v[i] = __builtin_shuffle(a, b, low);
        v[i + Step] = __builtin_shuffle(a, b, high);
#endif
    }
}

template <class T>
inline void transpose(Vec<T>* v) noexcept {
    if constexpr (kLanes<T> >= 16) transpose_round<T, 8>(v);
    if constexpr (kLanes<T> >= 8) transpose_round<T, 4>(v);
    if constexpr (kLanes<T> >= 4) transpose_round<T, 2>(v);
    transpose_round<T, 1>(v);
}

// A block of up to L rows of `from` (rows ld apart, `rows` of them, `cols` columns wide) as columns.
template <class T>
inline void load_transposed(const T* from, Size ld, Size rows, Size cols, Vec<T>* v) noexcept {
    constexpr Size n = kLanes<T>;
    if (rows == n && cols == n) {
#pragma GCC unroll 16
        for (Size i = 0; i < n; ++i) v[i] = load(from + i * ld);
    } else {
        for (Size i = 0; i < n; ++i) v[i] = i < rows ? load_some(from + i * ld, cols) : Vec<T>{};
    }
    transpose<T>(v);
}

// to (n_cols, n_rows), rows to_ld apart = the transpose of from (n_rows, n_cols). What is beyond n_rows in its last
// vector is 0.
template <class T>
void transpose_rows(const T* from, Size ld, Size n_rows, Size n_cols, T* to, Size to_ld) noexcept {
    constexpr Size n = kLanes<T>;
    for (Size k = 0; k < n_cols; k += n) {
        const Size cols = n_cols - k < n ? n_cols - k : n;
        for (Size r = 0; r < n_rows; r += n) {
            const Size rows = n_rows - r < n ? n_rows - r : n;
            Vec<T> v[n];
            load_transposed<T>(from + r * ld + k, ld, rows, cols, v);
            if (cols == n) {
#pragma GCC unroll 16
                for (Size i = 0; i < n; ++i) store(to + (k + i) * to_ld + r, v[i]);
            } else {
                for (Size i = 0; i < cols; ++i) store(to + (k + i) * to_ld + r, v[i]);
            }
        }
    }
}

template <class T>
void pack_transposed(const T* W, Size ld, Size n_out, Size n_in, T* dst, Size panel_begin, Size panel_end) noexcept {
    constexpr Size n = kLanes<T>;
    const PanelSplit split(n_out, kVector<T>);
    for (Size p = panel_begin; p < panel_end; ++p) {
        const Size used = split.used(p);
        T* to = dst + split.offset(p) * n_in;
        const T* from = W + split.offset(p) * ld;
        if (p < split.n_plain()) {
            transpose_rows(from, ld, used, n_in, to, split.width(p));
            continue;
        }
        if (split.apart()) {
            pack_interleaved(from, Size(1), ld, n_in, used, split.ways, to);
            continue;
        }
        pack_shared(from + n * ld, Size(1), ld, Size(0), n_in, used - n, split.ways, split.ways2, to);
        for (Size k = 0; k < n_in; k += n) {
            const Size cols = n_in - k < n ? n_in - k : n;
            Vec<T> v[n];
            load_transposed<T>(from + k, ld, n, cols, v);
            for (Size i = 0; i < cols; ++i) store(to + whole_at(k + i, split.ways, split.ways2) * n, v[i]);
        }
    }
}

// grad = scale * C + decay * W. No W is read where decay is 0.
template <class T>
void finish_rows(const T* C, Size n_rows, Size n_vec, Size n_used, T scale, T decay, const T* W, T* grad,
                 Size ld) noexcept {
    const Size width = n_vec * kLanes<T>;
    for (Size r = 0; r < n_rows; ++r, C += width, W += ld, grad += ld) {
        Size j = 0;
        for (; j + kLanes<T> <= n_used; j += kLanes<T>) store(grad + j, scale * load(C + j) + decay * load(W + j));
        if (const Size some = n_used - j; some > 0)
            store_some(grad + j, scale * load(C + j) + decay * load_some(W + j, some), some);
    }
}

template <class T>
void finish_transposed(const T* C, Size n_rows, Size n_vec, Size n_used, T scale, T decay, const T* W, T* grad,
                       Size ld) noexcept {
    constexpr Size n = kLanes<T>;
    const Size width = n_vec * n;
    for (Size j = 0; j < n_used; j += n) {
        const Size cols = n_used - j < n ? n_used - j : n;
        for (Size r = 0; r < n_rows; r += n) {
            const Size rows = n_rows - r < n ? n_rows - r : n;
            Vec<T> v[n];
            load_transposed<T>(C + r * width + j, width, rows, n, v);
            for (Size i = 0; i < cols; ++i) {
                const Size at = (j + i) * ld + r;
                if (rows == n) {
                    store(grad + at, scale * v[i] + decay * load(W + at));
                } else {
                    for (Size l = 0; l < rows; ++l) grad[at + l] = scale * v[i][l] + decay * W[at + l];
                }
            }
        }
    }
}

template <class T>
inline Vec<T> sum_of_eight(const Vec<T> (&v)[8]) noexcept {
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

/// Terms of a sum of products: one vector from i on, or some of its lanes.
template <class T>
struct Products {
    const T *a, *b;
    void add(Size i, Vec<T>& sum) const noexcept { sum += load(a + i) * load(b + i); }
    void add_some(Size i, Size n, Vec<T>& sum) const noexcept { sum += load_some(a + i, n) * load_some(b + i, n); }
};

/// The same of squares, with half as many loads.
template <class T>
struct Squares {
    const T* a;
    void add(Size i, Vec<T>& sum) const noexcept {
        const Vec<T> x = load(a + i);
        sum += x * x;
    }
    void add_some(Size i, Size n, Vec<T>& sum) const noexcept {
        const Vec<T> x = load_some(a + i, n);
        sum += x * x;
    }
};

// Blocks short enough for T, their sums in double: eight chains in a fixed order.
template <class T, class Terms>
inline double sum_of(const Terms& terms, Size n) noexcept {
    constexpr Size lanes = kLanes<T>, block = 8 * lanes;
    DoubleSum<T> total;
    Vec<T> sum[8] = {};
    Size i = 0;
    while (i + block <= n) {
        Size stop = i + 16 * block;
        if (stop > n) stop = i + (n - i) / block * block;
        for (; i < stop; i += block)
#pragma GCC unroll 8
            for (Size j = 0; j < 8; ++j) terms.add(i + j * lanes, sum[j]);
        if (i + block > n) break;
        total.add(sum_of_eight<T>(sum));
#pragma GCC unroll 8
        for (Size j = 0; j < 8; ++j) sum[j] = Vec<T>{};
    }
    // What is left: a vector for some chains each, and some of one for the last.
    if ((n - i) & (4 * lanes)) {
#pragma GCC unroll 4
        for (Size j = 0; j < 4; ++j, i += lanes) terms.add(i, sum[j]);
    }
    if ((n - i) & (2 * lanes)) {
#pragma GCC unroll 2
        for (Size j = 4; j < 6; ++j, i += lanes) terms.add(i, sum[j]);
    }
    if ((n - i) & lanes) {
        terms.add(i, sum[6]);
        i += lanes;
    }
    if (i < n) terms.add_some(i, n - i, sum[7]);
    total.add(sum_of_eight<T>(sum));
    return total.value();
}

template <class T>
double dot(const T* a, const T* b, Size n) noexcept {
    return sum_of<T>(Products<T>{a, b}, n);
}

template <class T>
double sum_squares(const T* x, Size n) noexcept {
    return sum_of<T>(Squares<T>{x}, n);
}

}  // namespace
}  // namespace sae_fast
