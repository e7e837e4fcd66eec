// Plan and scratch memory of one evaluate() call.
//
//   strip   rows that are summed together (rho_hat, bias gradients, cost): the unit of the fixed order of summation
//   block   strips whose deltas are in memory at the same time; two blocks take turns, so one barrier a block is enough
//   chunk   where gradients are small: strips whose share of them is summed apart, by one thread, block by block in
//           memory of its own; so no thread waits for another, or reads what another has written, before the sum
// All are cut by the size of the problem, never by the number of threads.
#pragma once

#include <algorithm>

#include "kernel_table.hpp"
#include "sae_fast/network.hpp"
#include "sparsity.hpp"
#include "team.hpp"

namespace sae_fast {

constexpr Size kOuterRows = 256;                // rows of one partial sum of a weight gradient
constexpr Size kCache = Size(1) << 19;          // bytes that are to stay in the second-level cache
constexpr Size kSmallGradient = Size(1) << 18;  // bytes of both weight gradients up to which they are made by chunks
constexpr Size kHugeGradient =
    Size(1) << 24;            // bytes of them from which on blocks are longer, to add to them less often
constexpr Size kChunks = 24;  // chunks at most: many divisors, for many teams

/// How the samples are cut.
struct RowPlan {
    Size m = 0;      // samples
    Size strip = 0;  // rows of a strip
    Size n_strips = 0;
    Size block = 0;  // rows of a block, a multiple of strip
    Size n_blocks = 0;
    Size n_buffers = 0;  // blocks in memory: 1 or 2

    /// row_bytes: of all matrices of a block; gradient_bytes: of what each block adds to.
    RowPlan(Size m_, Size row_bytes, Size gradient_bytes = 0) noexcept : m(m_) {
        const Size eighth = ((m + 7) / 8 + 7) / 8 * 8;
        strip = std::min<Size>(eighth, 64);
        n_strips = (m + strip - 1) / strip;
        const Size least = gradient_bytes < kHugeGradient ? 256 : 512;
        const Size fitting = std::clamp<Size>((Size(3) << 19) / row_bytes, least, 1024) / strip * strip;
        block = n_strips * strip <= fitting + fitting / 2 ? n_strips * strip : fitting;
        n_blocks = (n_strips * strip + block - 1) / block;
        n_buffers = std::min<Size>(n_blocks, 2);
    }
    Size rows_of_strip(Size s) const noexcept { return std::min(strip, m - s * strip); }
    Size strips_per_block() const noexcept { return block / strip; }
    Range strips_of_block(Size b) const noexcept {
        return {b * strips_per_block(), std::min((b + 1) * strips_per_block(), n_strips)};
    }
    Size rows_of_block(Size b) const noexcept { return std::min(block, m - b * block); }
    /// Are there enough strips in a block for threads to own whole ones?
    bool by_strips(int n_threads) const noexcept {
        return strips_per_block() % n_threads == 0 || strips_per_block() >= 4 * n_threads;
    }
};

/// Calls item(panel, strip) for this member's part of panels x strips, in the order of panels; parts are equal in
/// vectors.
template <class Item>
void share_panels(Team team, const PanelSplit& split, Range strips, Item item) noexcept {
    const Size n_strips = strips.end - strips.begin;
    const Size total = split.padded() / split.lanes * n_strips;
    const Range mine = team.share(total);
    Size at = 0;
    for (Size p = 0; p < split.count(); ++p)
        for (Size s = strips.begin; s < strips.end; ++s) {
            if (at >= mine.begin && at < mine.end) item(p, s);
            at += split.vectors(p);
        }
}

/// Elements of a tile of a gradient: one panel by one panel.
constexpr Size tile_size(Size lanes) noexcept { return 9 * lanes * lanes; }

struct Plan : RowPlan {
    PanelSplit visible, hidden;
    bool far;        // are the weights too many for the second-level cache?
    Size group = 1;  // strips that take a panel of weights in turn
    Size n_left;     // panels of hidden whose tiles of a gradient take a panel of visible in turn
    Size chunk = 0;  // strips of a chunk, or 0
    Size n_chunks = 1;

    Plan(Size m_, Size n_visible, Size n_hidden, Size lanes, Size element) noexcept
        : RowPlan(m_, 2 * (PanelSplit(n_visible, lanes).padded() + PanelSplit(n_hidden, lanes).padded()) * element,
                  2 * PanelSplit(n_visible, lanes).padded() * n_hidden * element),
          visible(n_visible, lanes),
          hidden(n_hidden, lanes) {
        far = hidden.padded() * visible.n * element > kCache;
        if (far) group = std::clamp<Size>(kCache / (strip * visible.padded() * element), 1, 4);
        n_left = std::clamp<Size>(kCache / (3 * lanes * block * element), 1, hidden.count());
        if (n_blocks == 1 || 2 * gradient() * element > kSmallGradient) return;
        chunk = (n_strips + kChunks - 1) / kChunks;
        n_chunks = (n_strips + chunk - 1) / chunk;
        block = std::min<Size>(chunk * strip, kOuterRows);
        n_buffers = 1;
    }
    Range strips_of_chunk(Size c) const noexcept { return {c * chunk, std::min((c + 1) * chunk, n_strips)}; }
    /// Elements of a weight gradient, with padding.
    Size gradient() const noexcept { return visible.padded() * hidden.n; }
    Size tile() const noexcept { return tile_size(visible.lanes); }
};

/// Matrices of one block, in panels with room for Plan::block rows. X is null where samples are read in place.
template <class T>
struct Block {
    T *X, *a2, *delta3, *delta2;

    Block() noexcept : X(nullptr), a2(nullptr), delta3(nullptr), delta2(nullptr) {}
    /// The first of some that lie side by side.
    Block(Arena& arena, const Plan& plan, bool in_place, Size n_blocks)
        : X(in_place ? nullptr : arena.take<T>(n_blocks * plan.block * plan.visible.padded())),
          a2(arena.take<T>(n_blocks * plan.block * plan.hidden.padded())),
          delta3(arena.take<T>(n_blocks * plan.block * plan.visible.padded())),
          delta2(arena.take<T>(n_blocks * plan.block * plan.hidden.padded())) {}
    Block neighbour(const Plan& plan, Size i) const noexcept {
        const Size v = i * plan.block * plan.visible.padded();
        const Size h = i * plan.block * plan.hidden.padded();
        Block block;
        block.X = X == nullptr ? nullptr : X + v;
        block.a2 = a2 + h;
        block.delta3 = delta3 + v;
        block.delta2 = delta2 + h;
        return block;
    }
};

template <class T>
struct Scratch {
    T *W1_t, *W2_t, *W2_n;       // weights as right operands: W1^T, W2^T, W2
    T *b1, *b2, *slope;          // padded; slope: beta times the derivative of KL
    T* row_weight;               // (m,) with mean 1, or null
    T* folded;                   // (m, n_hidden) strip by strip
    T *sum_s, *sum_c;            // (n_strips, n_hidden): of activations and complements
    T *sum_delta3, *sum_delta2;  // (n_strips, ...)
    double* squares;             // (n_strips, panels of visible)
    double* decay;               // sums of squares of W1 by panels of hidden, then of W2 by panels of visible
    Mean* mean;                  // (n_hidden,)
    double* divergence;          // (n_hidden,)
    T* grad;                     // (n_chunks, 2, n_hidden, n_visible): of W1 and W2^T, only for several blocks
    T* tiles;                    // (n_threads, panel of hidden, panel of visible), only for one block
    T* rows;                     // (n_threads, n_visible)
    T* strips;                   // (n_threads, strip, n_visible), only for several blocks
    Block<T> blocks[2];

    Scratch(Arena& arena, const Plan& plan, int n_threads, bool weighted, bool gradient, bool in_place) {
        const Size v = plan.visible.padded();
        const Size h = plan.hidden.padded();
        W1_t = arena.take<T>(plan.hidden.right(plan.visible.n));
        W2_t = arena.take<T>(plan.visible.right(plan.hidden.n));
        W2_n = arena.take<T>(plan.hidden.right(plan.visible.n));
        b1 = arena.take<T>(h);
        b2 = arena.take<T>(v);
        slope = arena.take<T>(h);
        row_weight = weighted ? arena.take<T>(plan.m) : nullptr;
        folded = arena.take<T>(plan.n_strips * plan.strip * h);
        sum_s = arena.take<T>(plan.n_strips * h);
        sum_c = arena.take<T>(plan.n_strips * h);
        sum_delta3 = arena.take<T>(plan.n_strips * v);
        sum_delta2 = arena.take<T>(plan.n_strips * h);
        squares = arena.take<double>(plan.n_strips * plan.visible.count());
        decay = arena.take<double>(plan.hidden.count() + plan.visible.count());
        mean = arena.take<Mean>(plan.hidden.n);
        divergence = arena.take<double>(plan.hidden.n);
        const bool whole = gradient && plan.n_blocks > 1;
        grad = whole ? arena.take<T>(plan.n_chunks * 2 * plan.gradient()) : nullptr;
        tiles = gradient && !whole ? arena.take<T>(n_threads * plan.tile()) : nullptr;
        rows = arena.take<T>(n_threads * plan.visible.n);
        strips = plan.n_blocks > 1 ? arena.take<T>(n_threads * plan.strip * v) : nullptr;
        const Size side_by_side = plan.chunk > 0 ? n_threads : 1;
        for (Size i = 0; i < plan.n_buffers; ++i) blocks[i] = Block<T>(arena, plan, in_place, side_by_side);
    }
};

}  // namespace sae_fast
