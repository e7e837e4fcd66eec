// The seam between code that is compiled once (drivers, threads) and code that is compiled once per instruction
// set (kernels/). Only plain pointers and sizes cross it, so no inline function can be linked in the wrong form.
//
// Panel layout. A matrix of n columns is cut into panels of 1 to 3 vectors (see PanelSplit); a panel holds its rows
// one after another, `width` elements each, columns beyond n being zero or unused. With room for `capacity` rows,
// element (r, c) of panel p stands at  offset(p) * capacity + r * width(p) + (c - offset(p)).
// The layout serves both products: along the columns as the broadcast operand of `product`, along the rows as
// either operand of `outer`.
#pragma once

#include "sae_fast/types.hpp"

namespace sae_fast {

// Always inlined: a copy compiled for one instruction set must never serve another.
#define SAE_FAST_INLINE __attribute__((always_inline)) inline

// One copy of the machine code, whoever calls.
#if defined(__clang__)
#define SAE_FAST_ONE_COPY __attribute__((noinline))
#else
#define SAE_FAST_ONE_COPY __attribute__((noinline, noclone))
#endif

/// Consecutive panels.
struct Panels {
    Size begin, end;
};

/// Units whose errors are summed together where rows are units: with n_rows of them, sums come by blocks from the first
/// one on.
constexpr Size kUnitBlock = 8;

/// What a product has to know of a panel: its vectors, and how many rows of the right operand share the last one. Where
/// ways is 1 none do; where there is more than one vector, `ways` rows share a part of it and `ways2` rows, if more
/// than 1, the rest (see PanelSplit).
struct PanelShape {
    Size vectors, ways, ways2;
};

/// Elements of a vector, which is what this is in every sum; and are there 32 registers of them, or 16?
struct Lanes {
    Size n;
    bool many_registers;

    SAE_FAST_INLINE constexpr operator Size() const noexcept { return n; }
};

/// How n columns are cut into panels of `lanes`-wide vectors: threes first, then one or two narrower ones.
/// Never a lone full vector beside wider panels: 3 + 1 becomes 2 + 2, which keeps the multiply-add units busy.
///
/// As the right operand of `product`, a last vector that is not full may be interleaved, so that fewer multiply-adds
/// are spent on padding. Interleaved by f ways, a vector holds f rows of lanes / f columns, lane c * f + i being column
/// c of row k + i, and meets f neighbours of a row of the left operand. It stands in one of two places:
///   apart     the vector is at most half used, and a panel of its own, behind all others;
///   shared    the vector is at most three quarters used, and the second one of a panel of two. Half of its columns or
///             fewer are interleaved by `ways`; those beyond half by `ways2`, into a vector of their own. In the right
///             operand an interleaved vector follows the last row that it holds.
/// Everywhere else a panel is rows of whole vectors.
struct PanelSplit {
    Size n = 0;  // columns
    Lanes lanes{1, false};
    Size n_wide = 0;      // panels of 3 vectors
    Size n_rest = 0;      // narrower panels behind them: 0, 1 or 2
    Size rest = 0;        // vectors in each of those
    Size ways = 1;        // > 1: the last vector is interleaved
    Size ways2 = 1;       // > 1: and so are its columns beyond half
    bool shared = false;  // is it part of the last panel?

    PanelSplit() = default;
    SAE_FAST_INLINE PanelSplit(Size n_, Lanes lanes_) noexcept : n(n_), lanes(lanes_) {
        const Size last = n % lanes;
        const Size all = (n + lanes - 1) / lanes;
        // Beside the others the last vector would turn panels of three into narrower ones. Those take longer where
        // there are 16 registers, by 8 % (two vectors) and a third (shared), and by half of that where there are 32: so
        // these split a lone panel of three for up to a quarter of a vector. 64 -> 25, 28 with 8 lanes, x limit shared
        // and apart: 1.60, 1.49 and 1.48, 1.47 (AVX2, float32); 1.37, 1.50 and 1.45, 1.44 (AVX-512, float64).
        const Size gains = all > 4 || !lanes.many_registers ? 1 : lanes / 4 + 1;
        const bool threes = all % 3 == 1 && all > 1 && last >= gains && 2 * last <= lanes;
        shared = last > 0 && 4 * last <= 3 * lanes && all > 1 && all % 3 != 0 && !threes;
        if (last > 0 && 2 * last <= lanes) ways = ways_of(last);
        if (shared && 2 * last > lanes) {
            ways = 2;
            ways2 = ways_of(last - lanes / 2);
        }
        const Size vectors = all - (apart() ? 1 : 0);
        const Size over = vectors % 3;
        n_wide = vectors / 3;
        if (over == 1 && vectors > 1) {
            n_wide -= 1;
            n_rest = 2;
            rest = 2;
        } else if (over != 0) {
            n_rest = 1;
            rest = over;
        }
    }
    /// For samples as columns: whole vectors, and panels of up to `most`, 3 or 4.
    SAE_FAST_INLINE static PanelSplit of_samples(Size n, Lanes lanes, Size most) noexcept {
        PanelSplit split;
        split.n = n;
        split.lanes = lanes;
        const Size vectors = (n + lanes - 1) / lanes;
        const Size over = vectors % 3;
        const bool wider = over == 1 && vectors > 1;
        split.n_wide = vectors / 3 - (wider ? 1 : 0);
        split.n_rest = wider && most < 4 ? 2 : over != 0 ? 1 : 0;
        split.rest = wider ? (most < 4 ? 2 : 4) : over;
        return split;
    }
    SAE_FAST_INLINE bool apart() const noexcept { return ways > 1 && !shared; }
    SAE_FAST_INLINE Size n_plain() const noexcept { return n_wide + n_rest - (shared ? 1 : 0); }
    SAE_FAST_INLINE Size count() const noexcept { return n_wide + n_rest + (apart() ? 1 : 0); }
    SAE_FAST_INLINE Size vectors(Size p) const noexcept { return p < n_wide ? 3 : p < n_wide + n_rest ? rest : 1; }
    SAE_FAST_INLINE PanelShape shape(Size p) const noexcept {
        return p < n_plain() ? PanelShape{vectors(p), 1, 1} : PanelShape{vectors(p), ways, ways2};
    }
    SAE_FAST_INLINE Size width(Size p) const noexcept { return vectors(p) * lanes; }
    SAE_FAST_INLINE Size offset(Size p) const noexcept {
        if (p > n_wide + n_rest) return padded();
        return lanes * (p <= n_wide ? 3 * p : 3 * n_wide + (p - n_wide) * rest);
    }
    /// The panel of column c.
    SAE_FAST_INLINE Size panel_of(Size c) const noexcept {
        if (c < 3 * n_wide * lanes) return c / (3 * lanes);
        const Size beyond = c - 3 * n_wide * lanes;
        return beyond < n_rest * rest * lanes ? n_wide + beyond / (rest * lanes) : n_wide + n_rest;
    }
    /// Columns of panel p that belong to the matrix.
    SAE_FAST_INLINE Size used(Size p) const noexcept {
        const Size left = n - offset(p);
        return left < width(p) ? left : width(p);
    }
    /// The panels from `begin` on that have at most `most` columns together, one at least, and none from `stop` on.
    SAE_FAST_INLINE Panels part(Size begin, Size most) const noexcept { return part(begin, most, count()); }
    SAE_FAST_INLINE Panels part(Size begin, Size most, Size stop) const noexcept {
        Size end = begin + 1;
        while (end < stop && offset(end + 1) - offset(begin) <= most) ++end;
        return {begin, end};
    }
    /// Columns of these panels that belong to the matrix.
    SAE_FAST_INLINE Size columns(Panels part) const noexcept {
        return (part.end == count() ? n : offset(part.end)) - offset(part.begin);
    }
    /// Columns with padding.
    SAE_FAST_INLINE Size padded() const noexcept { return lanes * (3 * n_wide + n_rest * rest + (apart() ? 1 : 0)); }

    /// Elements of a right operand of n_k rows. Of very few rows the interleaved vectors may be one more than they
    /// replace.
    SAE_FAST_INLINE Size right(Size n_k) const noexcept { return padded() * n_k + (ways2 > 1 ? lanes.n : Size(0)); }

private:
    // The largest power of two by which so many columns fit into a vector.
    SAE_FAST_INLINE Size ways_of(Size columns) const noexcept {
        Size f = 1;
        while (columns * f * 2 <= lanes) f *= 2;
        return f;
    }
};

/// Rows of n elements, ld apart, that will be read soon: a product asks for them while it computes, a few for each of
/// its own rows.
template <class T>
struct Ask {
    const T* data = nullptr;
    Size ld = 0;
    Size n = 0;
};

/// Is it worth asking for rows of n elements, ld apart? Not where they are one sequence of short ones: the processor
/// sees it coming, and asking takes longer.
template <class T>
SAE_FAST_INLINE bool worth_asking(Size n, Size ld) noexcept {
    return ld > n || n * static_cast<Size>(sizeof(T)) > 512;
}

/// The left operand of a product: rows row0 ... of panels with room for `capacity` rows, or, where ld > 0, plain rows
/// that are ld elements apart.
template <class T>
struct Left {
    const T* data;
    Size capacity;
    Size row0;
    Size ld;
    Ask<T> ask{};               // of left operands to come
    Ask<T> ask_out{};           // of where the result will go
    const T* coming = nullptr;  // the next right operand, where it comes from far away
    Size n_coming = 0;          // its elements
};

/// Patches of an image as rows of a product: row r is n_runs runs of `run` elements, the first at rows[r], each
/// run_stride elements behind the one before.
template <class T>
struct Patches {
    const T* const* rows;
    Size n_runs;
    Size run;
    Size run_stride;
};

/// What makes z of a product y, and what is chosen of it: z = y + bias, or scale y + bias where gated. For each latent,
/// whole vectors of them.
template <class T>
struct Selector {
    Selection kind;
    const T* bias;
    const T* threshold;  // above_each: z must exceed it; gated: y, and z must exceed 0
    const T* scale;      // gated
};

/// What rows have chosen so far, in the order of latents: lists that are ld >= limit + 4 vectors apart.
template <class T>
struct Chosen {
    T* values;
    int* indices;
    Size ld;
    Size limit;          // a list that is longer has no room for another panel
    Size* counts;        // of each row
    T* least;            // of each row; topk, above: z must exceed it
    unsigned char* nan;  // of each row: has a chosen one been NaN?
};

/// Adam as a step applies it: step = learning_rate / (1 - beta1^t), inverse_root = 1 / sqrt(1 - beta2^t).
template <class T>
struct AdamStep {
    T beta1, rest1;  // rest = 1 - beta, rounded once
    T beta2, rest2;
    T step, inverse_root, epsilon;
};

/// The kernels of one instruction set for one type.
template <class T>
struct Kernels {
    const char* isa;      // "baseline", "avx2", ...
    Lanes lanes;          // of a vector
    Size tile_rows;       // rows of a tile of a product
    Size sample_vectors;  // of a panel of samples, at most
    Size outer_rows;      // of one partial sum of `outer`: its operands are then in the first-level cache
    Size part_columns;    // of activations that are taken through all panels before the next ones

    /// dst panels, rows row0 ... row0 + n_rows - 1  <-  src (n_rows, n_cols), rows src_stride apart.
    void (*pack_rows)(const T* src, Size src_stride, Size n_rows, Size n_cols, T* dst, Size capacity, Size row0);
    /// dst (n_rows, n_cols), rows dst_stride apart  <-  panels; the inverse of pack_rows.
    void (*unpack_rows)(const T* src, Size capacity, Size row0, Size n_rows, Size n_cols, T* dst, Size dst_stride);
    /// Rows row0 ... of the right operand of a product, where pack_rows does not interleave: all panels of `n_cols`
    /// columns. row0 is a multiple of `lanes`, and so is n_rows unless these are the last ones.
    void (*pack_right)(const T* src, Size src_stride, Size n_rows, Size n_cols, T* dst, Size capacity, Size row0);
    /// to (n_cols, n_rows), rows to_ld apart  <-  from (n_rows, n_cols), rows ld apart: whole vectors, 0 beyond n_rows.
    void (*transpose_rows)(const T* from, Size ld, Size n_rows, Size n_cols, T* to, Size to_ld);
    /// Panels of W^T, a right operand: dst panel p holds (n_in rows, columns = the outputs of panel p). W: (n_out,
    /// n_in), rows ld apart.
    void (*pack_transposed)(const T* W, Size ld, Size n_out, Size n_in, T* dst, Size panel_begin, Size panel_end);

    /// C (n_rows, shape.vectors * lanes) = A B over the columns of A in `part`, or in what there is of it, continuing C
    /// where part.begin > 0 (C is complete after the last part). A: n_rows of n_k columns, in panels, or plain rows
    /// `ld` apart where ld > 0; B: a panel (n_k, shape). Each element is one chain of multiply-adds in the order of k
    /// (in an interleaved vector: `ways` chains, or 2 * ways where it stands apart, and their sum), whatever the
    /// blocking: a row's result does not depend on its neighbours.
    void (*product)(const Left<T>& A, Size n_rows, Size n_k, Panels part, const T* B, PanelShape shape, T* C);
    /// The same for a shared panel whose rows of C stand `ld` apart, less than its width: each is written over what the
    /// one before left behind its columns, and two vectors of room follow the last one.
    void (*product_dense)(const Left<T>& A, Size n_rows, Size n_k, const T* B, PanelShape shape, T* C, Size ld);
    /// One row of a layer: out (n_out,) = unit(x W^T + b), with the bits of product and activate. x: (n_k,), B: the
    /// panels of W^T, bias: padded.
    void (*layer_row)(Unit unit, const T* x, Size n_k, const T* B, Size n_out, const T* bias, T* out);
    /// C (n_rows, n_vec * lanes) = A B for patches and a panel that is not interleaved: the bits of `product` on their
    /// copies. B: (n_runs * run, n_vec * lanes).
    void (*product_patches)(const Patches<T>& A, Size n_rows, const T* B, Size n_vec, T* C);
    /// C (n_i, n_vec * lanes) (+)= A^T B over n_k rows.  A: n_k rows a_stride apart, its first n_i columns are used;
    /// B: (n_k, n_vec * lanes), rows b_stride apart. What stands `ahead` elements behind A will be the next A, and is
    /// asked for meanwhile.
    void (*outer)(const T* A, Size a_stride, Size n_i, const T* B, Size b_stride, Size n_vec, Size n_k, T* C,
                  bool accumulate, Size ahead);

    /// One panel, in place: z (n_rows, width) without bias -> stored activation (see units.hpp), and the
    /// (weighted) sums over these rows of s and 1 - s.
    void (*hidden_forward)(Unit unit, T* z, Size n_rows, Size n_vec, const T* bias, const T* row_weight, T* sum_s,
                           T* sum_c);
    /// One panel: z without bias -> plain activation, its n_used first columns to rows of out that are out_stride
    /// apart.
    void (*activate)(Unit unit, const T* z, Size n_rows, Size n_vec, Size n_used, const T* bias, T* out,
                     Size out_stride);
    /// One panel: rows of activations -> cells of `cell` rows each, pooled to rows of out that are out_stride apart.
    /// The first row is number `done` of its cell; what is not finished waits in kept (n_vec * lanes,).
    void (*pool)(Pooling pooling, const T* a, Size n_rows, Size n_vec, Size n_used, Size cell, Size done, double* kept,
                 T* out, Size out_stride);
    /// One panel: stored activations -> plain ones.
    void (*restore)(Unit unit, const T* stored, T* a, Size n_rows, Size n_vec);
    /// One panel, in place: z3 without bias -> delta3 (times row_weight), with X's rows x_stride apart; adds its column
    /// sums to sum_delta (overwritten) and returns the (weighted) sum of `times` the loss over the n_used first
    /// columns.
    double (*output_delta)(Unit unit, Loss loss, T* z, const T* X, Size x_stride, Size n_rows, Size n_vec, Size n_used,
                           const T* bias, const T* row_weight, T* sum_delta);
    /// One panel, in place: delta3 W2 -> delta2 = f' (delta3 W2 + row_weight * slope); its column sums go to sum_delta.
    void (*hidden_delta)(Unit unit, T* d, const T* stored, Size n_rows, Size n_vec, const T* slope, const T* row_weight,
                         T* sum_delta);

    /// The three above for panels whose rows are units, each with its own bias or slope, and whose columns are samples,
    /// each with its weight (n_vec * lanes,), which is 0 for padding. Sums are added to the rows' sums, and losses to
    /// those of blocks of kUnitBlock rows. X: a panel like z; a: another one, which takes the plain activations.
    void (*hidden_columns)(Unit unit, T* z, T* a, Size n_rows, Size n_vec, const T* bias, const T* weight,
                           double* sum_s, double* sum_c);
    void (*output_columns)(Unit unit, Loss loss, T* z, const T* X, Size n_rows, Size n_vec, const T* bias,
                           const T* weight, double* sum_delta, double* losses);
    void (*hidden_delta_columns)(Unit unit, T* d, const T* stored, Size n_rows, Size n_vec, const T* slope,
                                 const T* weight, double* sum_delta);

    /// One panel of plain activations whose rows or columns are samples (see activations.hpp): the weighted sum of the
    /// penalty on its n_used first columns; and d += weight * derivative.
    double (*activation_penalty)(const Penalty& penalty, const T* a, Size n_rows, Size n_vec, Size n_used,
                                 const T* row_weight, const T* column_weight);
    void (*activation_penalty_delta)(const Penalty& penalty, T* d, const T* a, Size n_rows, Size n_vec,
                                     const T* row_weight, const T* column_weight);

    /// One panel of plain activations: smallest and largest of each column, NaN if there is one.
    void (*range_of_columns)(const T* a, Size n_rows, Size n_vec, T* low, T* high);

    /// Rows of panels, in place: logits without bias -> probabilities.
    void (*softmax)(T* panels, Size capacity, Size row0, Size n_rows, Size n_cols, const T* bias);
    /// Rows of panels, in place: logits without bias -> p - onehot(label) (times row_weight); its column sums go to
    /// sum_delta (padded). Returns the (weighted) sum of -log p_label. labels, row_weight: of these rows.
    double (*softmax_delta)(T* panels, Size capacity, Size row0, Size n_rows, Size n_cols, const T* bias,
                            const Size* labels, const T* row_weight, T* sum_delta);
    /// The same for a panel whose rows are classes, each with its bias, and whose columns are samples, each with its
    /// label and weight (n_vec * lanes,), which are 0 for padding.
    double (*softmax_columns)(T* z, Size n_rows, Size n_vec, const T* bias, const Size* labels, const T* weight);

    /// grad (rows row0 ... , columns of one panel; row-major, ld apart) = scale * C + decay * W.
    void (*finish_rows)(const T* C, Size n_rows, Size n_vec, Size n_used, T scale, T decay, const T* W, T* grad,
                        Size ld);
    /// The same for C holding the transposed gradient: grad (columns of C, rows of C).
    void (*finish_transposed)(const T* C, Size n_rows, Size n_vec, Size n_used, T scale, T decay, const T* W, T* grad,
                              Size ld);
    /// grad = scale * A B + decay * W, of n_rows rows and n_cols columns, rows one behind the other, n_cols >= lanes.
    /// A: panels of samples, B: a row for each sample, b_stride apart, whole vectors may be read of.
    void (*gradient_rows)(const Left<T>& A, Size n_rows, const PanelSplit& samples, const T* B, Size b_stride,
                          Size n_cols, T scale, T decay, const T* W, T* grad);
    double (*sum_squares)(const T* x, Size n);

    /// x (n,) = log(x), the same for the kernels of both types.
    void (*logarithms)(double* x, Size n);

    /// Nothing but multiply-adds in registers, to find the peak; their number. *sink keeps the compiler honest.
    Size (*multiply_adds)(Size rounds, T* sink);
    T (*read_once)(const T* x, Size n);

    /// Vectors of any length.
    double (*dot)(const T* a, const T* b, Size n);
    void (*scale)(const T* a, T factor, Size n, T* out);                   // out = factor * a
    void (*add_scaled)(const T* a, T factor, const T* b, Size n, T* out);  // out = a + factor * b

    /// Appends what is chosen of one panel of products y (n_rows, n_vec * lanes), whose n_used first columns are the
    /// latents from `column` on. NaN is chosen. Is some list longer than its limit now?
    bool (*select)(const Selector<T>& selector, const T* y, Size n_rows, Size n_vec, Size n_used, Size column,
                   const Chosen<T>& chosen);
    /// The k largest of n > k numbers without NaN and -0, and among equal ones the first, in their order, in place,
    /// with their indices; their number. *least: the smallest of them. A vector of room follows both lists.
    Size (*keep_largest)(T* values, int* indices, Size n, Size k, T* least);
    /// out = x - by, where out is not null. Are all of x finite?
    bool (*shift)(const T* x, const T* by, Size n, T* out);
    /// out = base + sum over i of values[i] M[indices[i]], in this order. M: rows of n_cols, ld apart; base: null for
    /// 0.
    void (*gather)(const T* base, const int* indices, const T* values, Size n, const T* M, Size ld, Size n_cols,
                   T* out);

    /// out[i] = x . M[indices[i]]. M: rows of n_cols, ld apart.
    void (*pick_dots)(const T* x, const int* indices, Size n, const T* M, Size ld, Size n_cols, T* out);

    /// Adam by the gradient factor (g - along p), in place; g: null for 0. Gives the sum of the squares of the new p.
    double (*update_adam_row)(T* p, T* m, T* v, const T* g, Size n, T along, T factor, const AdamStep<T>& rule);

    /// total (n_cols,) += rows of X, ld apart, one after another.
    void (*add_rows)(const T* X, Size ld, Size n_rows, Size n_cols, double* total);
    /// How many rows of X, ld apart, have an element below its `low` or above its `high`; NaN is neither.
    Size (*count_strays)(const T* X, Size ld, Size n_rows, Size n_cols, const T* low, const T* high);
    /// counts (n_edges, n_cols) += how many rows of X, ld apart, are above each edge. edges: (n_edges, n_cols).
    void (*count_above)(const T* X, Size ld, Size n_rows, Size n_cols, const T* edges, Size n_edges, Size* counts);
    /// areas (n_edges + 1, n_cols) += what of the rows of X, ld apart, lies within each interval between edges: below
    /// the first edge how far they are from it, above each edge how far they go, at most to the next one.
    void (*add_areas)(const T* X, Size ld, Size n_rows, Size n_cols, const T* edges, Size n_edges, double* areas);
    /// Sums, smallest and largest elements of the columns of X (n_rows, n_cols), each (n_cols,); NaN without rows.
    void (*reduce_rows)(const T* X, Size n_rows, Size n_cols, double* sum, double* low, double* high);
    /// sum (a - b)^2, in double.
    double (*squared_distance)(const T* a, const T* b, Size n);

    /// Weight updates, elementwise, in place. p, v, m: n elements.
    void (*update_sgd)(T* p, const T* g, Size n, T learning_rate);
    void (*update_momentum)(T* p, T* v, const T* g, Size n, T learning_rate, T momentum, bool nesterov);
    void (*update_adam)(T* p, T* m, T* v, const T* g, Size n, T beta1, T beta2, T step, T root_correction, T eps);
};

/// The kernels of the chosen instruction set; defined in isa.cpp.
template <class T>
const Kernels<T>& kernels() noexcept;

}  // namespace sae_fast
