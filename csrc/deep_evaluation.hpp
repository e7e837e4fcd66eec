// Plan and scratch memory of one deep_evaluate() call; strips and blocks are those of evaluation.hpp.
#pragma once

#include <new>

#include "evaluation.hpp"
#include "sae_fast/deep.hpp"

namespace sae_fast {

struct DeepPlan : RowPlan {
    Size n_layers, lanes;
    bool gradient, penalised;
    bool own_target;  // there are targets besides X
    PanelSplit features;
    Size widest = 0;        // features or outputs of a layer, padded
    Size n_kept = 0;        // strips whose folded activations are in memory: all between two passes, else some blocks
    double work = 0;        // multiply-adds
    Size widest_input = 0;  // features or targets

    template <class T>
    DeepPlan(const DeepProblem<T>& problem, bool gradient_, Size lanes_) noexcept
        : RowPlan(problem.X.n_samples, bytes_of_row(problem, lanes_)),
          n_layers(problem.n_layers),
          lanes(lanes_),
          gradient(gradient_),
          penalised(false),
          own_target(problem.loss == Loss::squared && problem.target.data != nullptr),
          features(problem.X.n_features, lanes_),
          widest(features.padded()),
          widest_input(std::max(problem.X.n_features, own_target ? problem.target.n_features : 0)) {
        for (Size l = 0; l < n_layers; ++l) {
            const DeepLayer<const T>& layer = problem.layers[l];
            penalised = penalised || (l + 1 < n_layers && problem.penalties[l].beta > 0);
            widest = std::max(widest, PanelSplit(layer.n_out, lanes).padded());
            const Size products = gradient ? (l == 0 ? 2 : 3) : 1;
            work += static_cast<double>(products * m) * static_cast<double>(layer.n_in * layer.n_out);
        }
        n_kept = penalised ? n_strips : n_buffers * strips_per_block();
    }

private:
    template <class T>
    static Size bytes_of_row(const DeepProblem<T>& problem, Size lanes) noexcept {
        Size elements = PanelSplit(problem.X.n_features, lanes).padded();
        for (Size l = 0; l < problem.n_layers; ++l) elements += 2 * PanelSplit(problem.layers[l].n_out, lanes).padded();
        return elements * Size(sizeof(T));
    }
};

/// Memory of one layer. Strips of `folded` are kept one behind the other; a and delta are panels with room for
/// DeepPlan::block rows, for each of two blocks in turn.
template <class T>
struct DeepLayerScratch {
    PanelSplit in, out;
    T* W_t;              // W^T as right operand of the forward product
    T* W_n;              // W as right operand of the backward product; not for the first layer
    T *bias, *slope;     // padded; slope: beta times the derivative of KL
    T* folded;           // (n_kept, strip, n_out), hidden layers
    T *sum_s, *sum_c;    // (n_strips, n_out), hidden layers: of activations and complements
    T* sum_delta;        // (n_strips, n_out)
    double* decay;       // sums of squares of W by panels of n_out
    Mean* mean;          // (n_out,), hidden layers
    double* divergence;  // (n_out,), hidden layers
    T* grad;             // (n_out, n_in) in panels of n_in, only for several blocks
    T* a[2];             // activations, hidden layers
    T* delta[2];         // the last layer's take its pre-activations first

    DeepLayerScratch(Arena& arena, const DeepPlan& plan, Size l, Size n_in, Size n_out) noexcept
        : in(n_in, plan.lanes), out(n_out, plan.lanes) {
        const bool hidden = l + 1 < plan.n_layers;
        const Size n = out.padded();
        W_t = arena.take<T>(out.right(n_in));
        W_n = plan.gradient && l > 0 ? arena.take<T>(in.right(n_out)) : nullptr;
        bias = arena.take<T>(n);
        slope = arena.take<T>(n);
        folded = hidden ? arena.take<T>(plan.n_kept * plan.strip * n) : nullptr;
        sum_s = hidden ? arena.take<T>(plan.n_strips * n) : nullptr;
        sum_c = hidden ? arena.take<T>(plan.n_strips * n) : nullptr;
        sum_delta = arena.take<T>(plan.n_strips * n);
        decay = arena.take<double>(out.count());
        mean = hidden ? arena.take<Mean>(n_out) : nullptr;
        divergence = hidden ? arena.take<double>(n_out) : nullptr;
        grad = plan.gradient && plan.n_blocks > 1 ? arena.take<T>(in.padded() * n_out) : nullptr;
        for (Size i = 0; i < 2; ++i) {
            const bool used = i < plan.n_buffers;
            a[i] = used && hidden ? arena.take<T>(plan.block * n) : nullptr;
            delta[i] = used && (plan.gradient || !hidden) ? arena.take<T>(plan.block * n) : nullptr;
        }
    }
};

template <class T>
struct DeepScratch {
    DeepLayerScratch<T>* layers;  // (n_layers,)
    T* row_weight;                // (m,) with mean 1, or null
    Size* labels;                 // (m,), softmax
    double* losses;               // (n_strips, panels of the output)
    T* tiles;                     // (n_threads, panel, panel), only for one block
    T* rows;                      // (n_threads, widest input)
    T* strips[3];                 // (n_threads, strip, widest), only for two passes over several blocks
    T *X[2], *target[2];          // panels with room for block rows

    /// With an arena that only counts, the layers are counted and not made.
    DeepScratch(Arena& arena, const DeepPlan& plan, const DeepProblem<T>& problem, int n_threads) noexcept {
        layers = arena.take<DeepLayerScratch<T>>(plan.n_layers);
        for (Size l = 0; l < plan.n_layers; ++l) {
            const DeepLayerScratch<T> layer(arena, plan, l, problem.layers[l].n_in, problem.layers[l].n_out);
            if (layers != nullptr) new (layers + l) DeepLayerScratch<T>(layer);
        }
        const PanelSplit out(problem.layers[plan.n_layers - 1].n_out, plan.lanes);
        row_weight = problem.sample_weight != nullptr ? arena.take<T>(plan.m) : nullptr;
        labels = problem.loss == Loss::softmax ? arena.take<Size>(plan.m) : nullptr;
        losses = arena.take<double>(plan.n_strips * out.count());
        tiles = plan.gradient && plan.n_blocks == 1 ? arena.take<T>(n_threads * tile_size(plan.lanes)) : nullptr;
        rows = arena.take<T>(n_threads * plan.widest_input);
        for (T*& buffer : strips)
            buffer =
                plan.penalised && plan.n_blocks > 1 ? arena.take<T>(n_threads * plan.strip * plan.widest) : nullptr;
        for (Size i = 0; i < 2; ++i) {
            const bool used = i < plan.n_buffers;
            X[i] = used ? arena.take<T>(plan.block * plan.features.padded()) : nullptr;
            target[i] = !plan.own_target ? X[i] : used ? arena.take<T>(plan.block * out.padded()) : nullptr;
        }
    }
};

}  // namespace sae_fast
