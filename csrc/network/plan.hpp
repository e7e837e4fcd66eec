// How the samples of an evaluation are cut, and what each layer of the network may do: by size alone, never by the
// number of threads.
//
//   strip   rows that are summed together (rho_hat, bias gradients, cost): the unit of the fixed order of summation
//   group   strips that take a panel of weights in turn, where weights are far away
//   block   strips whose deltas are in memory at the same time; two blocks take turns, so one barrier a block is enough
//   chunk   where gradients are small: strips whose share of them is summed apart, by one thread, block by block in
//           memory of its own; so no thread waits for another, or reads what another has written, before the sum
#pragma once

#include <algorithm>

#include "evaluation.hpp"
#include "kernels/kernel_table.hpp"
#include "machine/machine.hpp"
#include "machine/team.hpp"
#include "samples.hpp"

namespace sae_fast {

struct LayerPlan {
    PanelSplit in, out;
    bool far;         // are its weights too many for the second-level cache?
    bool transposed;  // do the vectors of its gradient run along the outputs, which then take less padding?

    LayerPlan(Size n_in, Size n_out, Lanes lanes, Size element) noexcept
        : in(n_in, lanes),
          out(n_out, lanes),
          far(std::max(out.padded() * n_in, in.padded() * n_out) * element > near_cache()),
          transposed(out.padded() * n_in < in.padded() * n_out) {}

    /// A tile of the gradient is one panel of `narrow` by one panel of `wide`; its vectors run along `wide`.
    const PanelSplit& wide() const noexcept { return transposed ? out : in; }
    const PanelSplit& narrow() const noexcept { return transposed ? in : out; }
    /// Elements of the gradient, with padding.
    Size gradient() const noexcept { return wide().padded() * narrow().n; }
};

/// Elements of a tile of a gradient at most.
constexpr Size tile_size(Size lanes) noexcept { return 9 * lanes * lanes; }

struct Plan {
    Size m, n_layers;
    Lanes lanes;
    PanelSplit features;
    bool gradient, deltas;  // are they wanted?
    bool ranges;            // are those of hidden units wanted?
    bool penalised;         // has a layer a penalty on means over all samples, which takes a pass of its own?
    bool own_target;        // are there targets besides X?
    bool plain;             // do the samples lie so that a product can read them?
    bool in_place;          // and a gradient, too, so that they are not packed at all?
    bool target_in_place;
    Size gradients = 0;  // elements of all weight gradients, with padding
    int n_threads;
    Size strip, n_strips;
    Size group = 1;
    Size block, n_blocks;          // rows of a block, a multiple of strip
    Size chunk = 0, n_chunks = 1;  // strips of a chunk, or 0
    bool at_once;                  // is one block all there is?
    Size n_slots;                  // blocks in memory
    Size n_left;      // panels of a layer's narrow side whose tiles of a gradient take one of the wide side in turn
    Size n_together;  // of the wide side, whose tiles with a narrow one are finished together

    template <class T>
    Plan(const Problem<T>& problem, const Results<T>& results, int requested_threads) noexcept
        : m(problem.X.n_samples),
          n_layers(problem.network.n_layers),
          lanes(kernels<T>().lanes),
          features(problem.X.n_features, lanes),
          gradient(results.grad != nullptr),
          deltas(gradient || results.deltas != nullptr),
          ranges(results.unit_range != nullptr),
          penalised(false),
          own_target(!facts(problem.network.loss).by_row && problem.target.data != nullptr),
          plain(plain_rows<T>(problem.X, 0).ld > 0) {
        constexpr Size element = sizeof(T);
        Size row = features.padded();     // elements of a row of all matrices of a block
        Size widest = features.padded();  // left operand that is not taken in parts
        bool far = false;
        for (Size l = 0; l < n_layers; ++l) {
            const LayerPlan layer(problem.network.layers[l].n_in, problem.network.layers[l].n_out, lanes, element);
            const bool hidden = l + 1 < n_layers;
            penalised = penalised || (hidden && problem.network.settings[l].penalty.beta > 0);
            row += (hidden || own_target ? 2 : 1) * layer.out.padded();
            if (l > 0) widest = std::max(widest, layer.out.padded());
            far = far || layer.far;
            gradients += layer.gradient();
        }
        n_threads = team_size(requested_threads, multiply_adds(problem.network, m, deltas));
        cut(row * element, element);
        if (far) group = std::clamp<Size>(near_cache() / (strip * widest * element), 1, 4);
        at_once = n_blocks == 1;
        n_slots = chunk > 0 ? n_threads : std::min<Size>(n_blocks, 2);
        if (penalised && n_blocks > 1 && chunk == 0)
            n_slots = std::max(n_slots, (n_threads + groups_per_slot() - 1) / groups_per_slot());
        n_left = std::max<Size>(near_cache() / (3 * lanes * block * element), 1);
        n_together = at_once ? kTilesTogether : 1;
        // Blocks of large gradients are packed all the same: their tiles walk through the samples time and again.
        in_place = plain && chunk > 0 && features.padded() == features.n;
        target_in_place =
            own_target && problem.target.n_features % lanes == 0 && plain_rows<T>(problem.target, 0).ld > 0;
    }

    Size rows_of_strip(Size s) const noexcept { return std::min(strip, m - s * strip); }
    Size strips_per_block() const noexcept { return block / strip; }
    Size groups_per_slot() const noexcept { return strips_per_block() / group; }
    Range strips_of_block(Size b) const noexcept {
        return {b * strips_per_block(), std::min((b + 1) * strips_per_block(), n_strips)};
    }
    Range strips_of_chunk(Size c) const noexcept { return {c * chunk, std::min((c + 1) * chunk, n_strips)}; }
    /// Are there enough strips in a block for threads to own whole ones?
    bool by_strips() const noexcept {
        return strips_per_block() % n_threads == 0 || strips_per_block() >= 4 * n_threads;
    }

    /// Of a piece of these samples: some blocks of them, or what a chunk has left. It is summed as here, but forgotten
    /// after each pass, so that pass 2 makes the hidden layers again; and blocks of a chunk may be longer, since they
    /// are whole steps of its sums.
    Plan piece(Size rows) const noexcept {
        Plan p = *this;
        p.m = rows;
        p.n_strips = (rows + strip - 1) / strip;
        if (chunk > 0) p.block = std::min<Size>(chunk * strip, 4 * kBlockRows);
        p.group = std::min(group, p.strips_per_block());
        p.n_blocks = (p.n_strips + p.strips_per_block() - 1) / p.strips_per_block();
        p.penalised = p.in_place = p.at_once = false;
        p.n_together = 1;
        p.chunk = 0;
        p.n_chunks = n_chunks > 1 ? 2 : 1;  // the one that is summed, and the sum of those before
        p.n_slots = std::max<Size>(2, (n_threads + p.groups_per_slot() - 1) / p.groups_per_slot());
        return p;
    }
    /// The longest piece: as many blocks as take `bytes` for the samples, or one.
    Size rows_of_pieces(Size bytes, Size element) const noexcept {
        const Size longest = std::max(bytes / (features.n * element), Size(1));
        if (chunk > 0) return std::min(chunk * strip, std::max(longest / (4 * kBlockRows), Size(1)) * 4 * kBlockRows);
        return std::max(longest / block, Size(1)) * block;
    }

private:
    // row_bytes: of all matrices of a block.
    void cut(Size row_bytes, Size element) noexcept {
        const Size eighth = ((m + 7) / 8 + 7) / 8 * 8;
        strip = std::min<Size>(eighth, kStrip);
        n_strips = (m + strip - 1) / strip;
        const Size least = gradients * element < kHugeGradient ? kBlockRows : 2 * kBlockRows;
        const Size fitting = std::clamp<Size>(kBlockBytes / row_bytes, least, 4 * kBlockRows) / strip * strip;
        block = n_strips * strip <= fitting + fitting / 2 ? n_strips * strip : fitting;
        n_blocks = (n_strips * strip + block - 1) / block;
        if (n_blocks == 1 || gradients * element > kSmallGradient) return;
        chunk = (n_strips + kChunks - 1) / kChunks;
        n_chunks = (n_strips + chunk - 1) / chunk;
        block = std::min<Size>(chunk * strip, kBlockRows);
    }
};

}  // namespace sae_fast
