// Scratch memory of one evaluation whose rows are samples.
#pragma once

#include <new>

#include "plan.hpp"
#include "sparsity.hpp"

namespace sae_fast {

/// Memory of one layer. `a` and `delta` are panels with room for Plan::block rows, for each slot; `stored` holds
/// strips one behind the other: all of them between two passes, else those of each slot.
template <class T>
struct LayerScratch : LayerPlan {
    T* W_t;               // W^T as right operand of the forward product
    T* W_n;               // W as right operand of the backward product; not for the first layer
    T *bias, *slope;      // padded; slope: beta times the derivative of KL
    T *a, *stored;        // hidden layers
    T* delta;             // the last layer's takes its pre-activations first
    T *sum_s, *sum_c;     // (n_strips, n_out), hidden layers: of activations and complements
    T* sum_delta;         // (n_strips, n_out)
    double* squares;      // sums of squares of W by panels of n_out
    Mean* mean;           // (n_out,), hidden layers
    double* divergence;   // (n_out,), hidden layers
    double* activations;  // (n_strips, panels of n_out), hidden layers: penalties on them
    T *low, *high;        // (n_strips, n_out), hidden layers whose ranges are wanted: of activations
    T* grad;              // (n_chunks, gradient()): wide panels with narrow rows, only for several blocks

    LayerScratch(Arena& arena, const Plan& plan, const LayerPlan& layer, Size l) noexcept : LayerPlan(layer) {
        const bool hidden = l + 1 < plan.n_layers;
        const Size n = out.padded();
        const Size sums = plan.n_strips * n;
        const Size rows = plan.n_slots * plan.block;
        W_t = arena.take<T>(out.right(in.n));
        W_n = plan.deltas && l > 0 ? arena.take<T>(in.right(out.n)) : nullptr;
        bias = arena.take<T>(n);
        slope = arena.take<T>(n);
        a = hidden ? arena.take<T>(rows * n) : nullptr;
        stored = hidden ? arena.take<T>((plan.penalised ? plan.n_strips * plan.strip : rows) * n) : nullptr;
        delta = plan.deltas || !hidden ? arena.take<T>(rows * n) : nullptr;
        sum_s = hidden ? arena.take<T>(sums) : nullptr;
        sum_c = hidden ? arena.take<T>(sums) : nullptr;
        sum_delta = arena.take<T>(sums);
        squares = arena.take<double>(out.count());
        mean = hidden ? arena.take<Mean>(out.n) : nullptr;
        divergence = hidden ? arena.take<double>(out.n) : nullptr;
        activations = hidden ? arena.take<double>(plan.n_strips * out.count()) : nullptr;
        low = hidden && plan.ranges ? arena.take<T>(sums) : nullptr;
        high = hidden && plan.ranges ? arena.take<T>(sums) : nullptr;
        grad = plan.gradient && !plan.at_once ? arena.take<T>(plan.n_chunks * gradient()) : nullptr;
    }
};

template <class T>
struct Scratch {
    LayerScratch<T>* layers;  // (n_layers,)
    T* row_weight;            // (m,) with mean 1, or null
    Size* labels;             // (m,), softmax
    double* losses;           // (n_strips, panels of the output)
    T* tiles;                 // (n_threads, n_together, tile of a gradient), only for one block
    T* rows;                  // (n_threads, features or targets)
    T *X, *target;            // panels with room for Plan::block rows, for each slot; null where read in place

    /// With an arena that only counts, the layers are counted and not made.
    Scratch(Arena& arena, const Plan& plan, const Problem<T>& problem) noexcept {
        const Network<const T>& network = problem.network;
        layers = arena.take<LayerScratch<T>>(plan.n_layers);
        for (Size l = 0; l < plan.n_layers; ++l) {
            const LayerPlan cut(network.layers[l].n_in, network.layers[l].n_out, plan.lanes, sizeof(T));
            const LayerScratch<T> layer(arena, plan, cut, l);
            if (layers != nullptr) new (layers + l) LayerScratch<T>(layer);
        }
        const PanelSplit out(network.layers[plan.n_layers - 1].n_out, plan.lanes);
        const Size rows_in_memory = plan.n_slots * plan.block;
        row_weight = problem.sample_weight != nullptr ? arena.take<T>(plan.m) : nullptr;
        labels = facts(network.loss).by_row ? arena.take<Size>(plan.m) : nullptr;
        losses = arena.take<double>(plan.n_strips * out.count());
        tiles = plan.gradient && plan.at_once ? arena.take<T>(plan.n_threads * plan.n_together * tile_size(plan.lanes))
                                              : nullptr;
        rows = arena.take<T>(plan.n_threads * std::max(plan.features.n, out.n));
        X = plan.in_place ? nullptr : arena.take<T>(rows_in_memory * plan.features.padded());
        target = plan.own_target && !plan.target_in_place ? arena.take<T>(rows_in_memory * out.padded()) : nullptr;
    }
};

}  // namespace sae_fast
