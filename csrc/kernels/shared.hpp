// A panel of two vectors whose last one is shared (see PanelSplit): F rows of the right operand share a part of it and
// G rows the rest, so that 25 columns of 16 lanes cost 25/16 vectors and not 2. F, G: powers of two; G = 1: there is no
// rest.
#pragma once

#include "interleaved.hpp"

namespace sae_fast {
namespace {

/// v, loaded once: compilers would rather load again than keep a register, and loads are what this product runs out of.
template <class T>
inline Vec<T> in_register(Vec<T> v) noexcept {
#if defined(__AVX512F__)
    asm("" : "+v"(v));
#endif
    return v;
}

/// a in even lanes, b in odd ones.
template <class T>
inline Vec<T> alternate(Vec<T> a, Vec<T> b) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return reinterpret_cast<Vec<T>>(_mm512_mask_blend_ps(0xaaaa, a, b));
    if constexpr (sizeof(T) == 8) return reinterpret_cast<Vec<T>>(_mm512_mask_blend_pd(0xaa, a, b));
#else
    IntVec<T> odd{};
#pragma GCC unroll 16
    for (int l = 1; l < static_cast<int>(kLanes<T>); l += 2) odd[l] = -1;
    return odd != 0 ? b : a;
#endif
}

/// Accumulators of R rows: of the whole vector and of both parts of the shared one.
template <class T, int R>
struct SharedTile {
    Vec<T> whole[R], part[R], rest[R];
};

/// Rows of a tile of a shared panel. Chains of the whole vector, one a row, are what hides the latency of a
/// multiply-add: 2 a cycle for 4 cycles are 8. With 16 registers these are all of a pass, and interleaved vectors get
/// one of their own.
constexpr int kSharedRows = 8;

/// Which accumulators a pass over the operands fills.
struct SharedPass {
    bool whole, part, rest;
};

/// tile += the last columns, fewer than F or G, whichever is more.
template <class T, int R, int F, int G>
__attribute__((noinline)) const T* shared_end(const T* a, Size a_stride, Size n_k, const T* b, SharedPass pass,
                                              SharedTile<T, R>& tile) noexcept {
    constexpr Size n = kLanes<T>;
    for (Size k = 0; k < n_k; k += F) {
        const Size end = k + F < n_k ? k + F : n_k;
        for (Size j = k; j < end; ++j, b += n)
            for (int i = 0; i < R && pass.whole; ++i) tile.whole[i] += a[i * a_stride + j] * load(b);
        for (int i = 0; i < R && pass.part; ++i)
            tile.part[i] += repeat_some<T, F>(a + i * a_stride + k, end - k) * load(b);
        b += n;
    }
    if constexpr (G > 1) {
        for (int i = 0; i < R && pass.rest; ++i) tile.rest[i] += repeat_some<T, G>(a + i * a_stride, n_k) * load(b);
        b += n;
    }
    return b;
}

/// tile += n_k columns of the left operand, from one that is a multiple of F and G, times the next rows of the right
/// one; returns where these end.
template <class T, int R, int F, int G, bool Whole, bool Part, bool Rest>
inline const T* shared_product(const T* a, Size a_stride, Size n_k, const T* b, SharedTile<T, R>& tile) noexcept {
    constexpr Size n = kLanes<T>;
    constexpr Size step = G > F ? G : F;
    const T* rows[R];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) rows[i] = a + i * a_stride;
    Size k = 0;
    for (; k + step <= n_k; k += step) {
        if constexpr (F == 2) {
            for (Size j = k; j < k + step; j += 2, b += 3 * n) {
                const Vec<T> first = load(b), second = load(b + n), both = load(b + 2 * n);
#pragma GCC unroll 8
                for (int i = 0; i < R; ++i) {
                    if constexpr (Part && !Whole) {  // one load
                        tile.part[i] += repeat<T, F>(rows[i] + j) * both;
                        continue;
                    }
                    const Vec<T> x = splat(rows[i][j]), y = in_register<T>(splat(rows[i][j + 1]));
                    if constexpr (Whole) tile.whole[i] += x * first;
                    if constexpr (Part) tile.part[i] += alternate<T>(x, y) * both;
                    if constexpr (Whole) tile.whole[i] += y * second;
                }
            }
        } else {
            for (Size j = k; j < k + F; ++j, b += n) {
                const Vec<T> right = load(b);
#pragma GCC unroll 8
                for (int i = 0; i < R; ++i)
                    if constexpr (Whole) tile.whole[i] += rows[i][j] * right;
            }
            const Vec<T> right = load(b);
#pragma GCC unroll 8
            for (int i = 0; i < R; ++i)
                if constexpr (Part) tile.part[i] += repeat<T, F>(rows[i] + k) * right;
            b += n;
        }
        if constexpr (G > 1) {
            const Vec<T> right = load(b);
#pragma GCC unroll 8
            for (int i = 0; i < R; ++i)
                if constexpr (Rest) tile.rest[i] += repeat<T, G>(rows[i] + k) * right;
            b += n;
        }
    }
    if (k == n_k) return b;
    SharedTile<T, R> memory = tile;  // so that the tile itself may stay in registers
    b = shared_end<T, R, F, G>(a + k, a_stride, n_k - k, b, {Whole, Part, Rest}, memory);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
        tile.whole[i] = memory.whole[i];
        tile.part[i] = memory.part[i];
        tile.rest[i] = memory.rest[i];
    }
    return b;
}

/// tile = the product, or those accumulators of it.
template <class T, int R, int F, int G, bool Whole, bool Part, bool Rest>
inline void shared_pass(const Left<T>& A, Size row, const PanelSplit& split, const T* b,
                        SharedTile<T, R>& tile) noexcept {
    if (A.ld > 0) {
        shared_product<T, R, F, G, Whole, Part, Rest>(A.data + (A.row0 + row) * A.ld, A.ld, split.n, b, tile);
        return;
    }
    for (Size p = 0, at = 0; p < split.count(); ++p) {
        const Size width = split.width(p);
        b = shared_product<T, R, F, G, Whole, Part, Rest>(A.data + at * A.capacity + (A.row0 + row) * width, width,
                                                          split.n - at < width ? split.n - at : width, b, tile);
        at += width;
    }
}

/// Sums of all lanes of R vectors, R a power of two: the same pairs of pairs, whatever R.
template <class T, int R>
inline void sum_rows(const Vec<T> (&v)[R], T* sums) noexcept {
    constexpr int n = static_cast<int>(kLanes<T>);
    constexpr int side = R < n ? R : n;
    for (int r = 0; r < R; r += side) {
        const Vec<T> all = sum_ways_of_rows<T, n, side>(v + r);
        for (int i = 0; i < side; ++i) sums[r + i] = all[i];
    }
}

/// C (R, 2 vectors; rows ld apart, in their order) = the product.
template <class T, int R, int F, int G>
void shared_tile(const Left<T>& A, Size row, const PanelSplit& split, const T* b, T* C, Size ld) noexcept {
    constexpr Size n = kLanes<T>;
    SharedTile<T, R> tile{};
    if constexpr (R > kTileRows) {  // more accumulators than registers
        shared_pass<T, R, F, G, true, false, false>(A, row, split, b, tile);
        shared_pass<T, R, F, G, false, true, false>(A, row, split, b, tile);
        if constexpr (G > 1) shared_pass<T, R, F, G, false, false, true>(A, row, split, b, tile);
    } else {
        shared_pass<T, R, F, G, true, true, true>(A, row, split, b, tile);
    }
    [[maybe_unused]] T sums[R];
    if constexpr (G == n) sum_rows<T, R>(tile.rest, sums);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
        T* row_of_C = C + i * ld;
        store(row_of_C, tile.whole[i]);
        store(row_of_C + n, sum_ways<T, F>(tile.part[i]));
        if constexpr (G == n)
            row_of_C[n + n / 2] = sums[i];
        else if constexpr (G > 1)
            store_some(row_of_C + n + n / 2, sum_ways<T, G>(tile.rest[i]), n / G);
    }
}

template <class T, int F, int G>
struct SharedPanel {
    static void run(const Left<T>* A, Size n_rows, const PanelSplit* split, const T* b, T* C, Size ld) noexcept {
        Size r = 0;
        for (; r + kSharedRows <= n_rows; r += kSharedRows) {
            prefetch<0>(A->ask, r, kSharedRows);
            prefetch<1>(A->ask_out, r, kSharedRows);
            shared_tile<T, kSharedRows, F, G>(*A, r, *split, b, C + r * ld, ld);
        }
        if (r + 4 <= n_rows) {
            shared_tile<T, 4, F, G>(*A, r, *split, b, C + r * ld, ld);
            r += 4;
        }
        if (r + 2 <= n_rows) {
            shared_tile<T, 2, F, G>(*A, r, *split, b, C + r * ld, ld);
            r += 2;
        }
        if (r < n_rows) shared_tile<T, 1, F, G>(*A, r, *split, b, C + r * ld, ld);
    }
};

/// k / divisor for a power of two: no instruction is as slow as a division.
SAE_FAST_INLINE Size over_power(Size k, Size divisor) noexcept {
    return k >> __builtin_ctzll(static_cast<unsigned long long>(divisor));
}

/// Where in the right operand the vectors of a shared panel stand: the whole one of row k; the interleaved ones that
/// begin with row k, of n_k rows.
SAE_FAST_INLINE Size whole_at(Size k, Size ways, Size ways2) noexcept {
    return k + over_power(k, ways) + (ways2 > 1 ? over_power(k, ways2) : 0);
}
SAE_FAST_INLINE Size part_at(Size k, Size n_k, Size ways, Size ways2) noexcept {
    return whole_at(k, ways, ways2) - k + (k + ways < n_k ? k + ways : n_k);
}
SAE_FAST_INLINE Size rest_at(Size k, Size n_k, Size ways, Size ways2) noexcept {
    const Size end = k + ways2 < n_k ? k + ways2 : n_k;
    return end + over_power(end + ways - 1, ways) + over_power(k, ways2);
}

/// The interleaved vectors of a shared panel: element (k, c) beyond the whole vector is src[k * row_stride + c *
/// column_stride], for rows row0 ... row1 - 1; row0 is a multiple of `lanes`, and so is row1 unless it is the last one.
template <class T>
inline void pack_shared(const T* src, Size row_stride, Size column_stride, Size row0, Size row1, Size n_cols, Size ways,
                        Size ways2, T* to) noexcept {
    constexpr Size n = kLanes<T>;
    const Size half = ways2 > 1 ? n / 2 : n_cols;
    for (Size k = row0; k < row1; k += ways)
        interleave_vector(src + k * row_stride, row_stride, column_stride, row1 - k, half, ways,
                          to + part_at(k, row1, ways, ways2) * n);
    for (Size k = row0; k < row1 && ways2 > 1; k += ways2)
        interleave_vector(src + k * row_stride + half * column_stride, row_stride, column_stride, row1 - k,
                          n_cols - half, ways2, to + rest_at(k, row1, ways, ways2) * n);
}

/// The shared vector of one row of a product, without the whole one: z (lanes,). The same sums as in shared_tile.
template <class T, int F, int G>
struct SharedRow {
    static void run(const T* x, Size n_k, const T* B, T* z) noexcept {
        constexpr Size n = kLanes<T>;
        constexpr Size step = G > F ? G : F;
        Vec<T> part{}, rest[1] = {};
        const T* b = B;
        Size k = 0;
        for (; k + step <= n_k; k += step) {
#pragma GCC unroll 8
            for (Size j = 0; j < step; j += F, b += (F + 1) * n) part += repeat<T, F>(x + k + j) * load(b + F * n);
            if constexpr (G > 1) {
                rest[0] += repeat<T, G>(x + k) * load(b);
                b += n;
            }
        }
        const Size last = k;
        for (; k < n_k; k += F) {
            const Size some = n_k - k < F ? n_k - k : F;
            part += repeat_some<T, F>(x + k, some) * load(b + some * n);
            b += (some + 1) * n;
        }
        store(z, sum_ways<T, F>(part));
        if constexpr (G > 1) {
            if (last < n_k) rest[0] += repeat_some<T, G>(x + last, n_k - last) * load(b);
            if constexpr (G == n)
                sum_rows<T, 1>(rest, z + n / 2);
            else
                store_some(z + n / 2, sum_ways<T, G>(rest[0]), n / G);
        }
    }
};

// Calls S::run(...) with both `ways` known to the compiler.
template <class T, template <class, int, int> class S, class... Args>
inline void with_both_ways(Size ways, Size ways2, Args... args) noexcept {
    constexpr Size n = kLanes<T>;
    if (ways2 <= 1) switch (ways) {
            case 2:
                return S<T, 2, 1>::run(args...);
            case 4:
                if constexpr (n >= 4) return S<T, 4, 1>::run(args...);
                break;
            case 8:
                if constexpr (n >= 8) return S<T, 8, 1>::run(args...);
                break;
            default:
                if constexpr (n >= 16) return S<T, 16, 1>::run(args...);
        }
    switch (ways2) {
        case 4:
            if constexpr (n >= 4) return S<T, 2, 4>::run(args...);
            break;
        case 8:
            if constexpr (n >= 8) return S<T, 2, 8>::run(args...);
            break;
        default:
            if constexpr (n >= 16) return S<T, 2, 16>::run(args...);
    }
    __builtin_unreachable();
}

}  // namespace
}  // namespace sae_fast
