// Cost and gradients of a network of any depth. The phases of a call, each followed by a barrier:
//   pack         weights into panels, sums of their squares
//   activate     pass 1, only where a layer has a sparsity penalty: folded activations of every strip and their sums
//   means        rho_hat, penalty and its slope, unit by unit (without penalty: at the end, for the report alone)
//   block 0 ...  pass 2: forward (where pass 1 has not been), output and deltas of the block's strips; barrier; the
//                block's share of the weight gradients
//   finish       bias gradients, cost
// A thread owns whole strips where there are enough of them, and takes each through all layers while it is in cache.
// Otherwise threads share the panels of all strips, with a barrier between products that feed one another. Both are
// the same code: a member of a team of one meets no barrier. Who computes an element never changes how.
// One class, so long because the phases share its state.
#include <cmath>

#include "deep_evaluation.hpp"
#include "samples.hpp"

namespace sae_fast {

namespace {

/// Who works on some strips: with a team, or alone with buffers of its own.
template <class T>
struct Worker {
    Team team;
    T* row;        // (widest input,)
    T* strips[3];  // (strip, widest) each
};

template <class T>
class DeepEvaluation {
public:
    DeepEvaluation(const DeepProblem<T>& problem, const DeepResults<T>& results, const DeepPlan& plan,
                   const DeepScratch<T>& scratch, int n_threads) noexcept
        : problem_(problem),
          results_(results),
          plan_(plan),
          scratch_(scratch),
          layers_(scratch.layers),
          k_(kernels<T>()),
          last_(plan.n_layers - 1),
          by_strips_(plan.by_strips(n_threads)) {}

    void run(Team team) noexcept {
        pack(team);
        team.barrier();
        if (plan_.penalised) {
            each(team, {0, plan_.n_strips}, by_strips_ || plan_.n_blocks > 1,
                 [this](const Worker<T>& w, Range strips) { first_pass(w, strips); });
            team.barrier();
            means(team);
            team.barrier();
        }
        for (Size b = 0; b < plan_.n_blocks; ++b) {
            each(team, plan_.strips_of_block(b), by_strips_,
                 [this, b](const Worker<T>& w, Range strips) { second_pass(w, strips, b); });
            team.barrier();
            if (plan_.gradient) gradients(team, b);
        }
        if (!plan_.penalised && results_.rho_hat != nullptr) means(team);
        if (plan_.gradient) bias_gradients(team);
    }

    Cost cost() const noexcept {
        Cost cost;
        double sum = 0;
        const Size n_panels = problem_.loss == Loss::softmax ? 1 : layers_[last_].out.count();
        for (Size i = 0; i < plan_.n_strips * n_panels; ++i) sum += scratch_.losses[i];
        cost.reconstruction = sum / static_cast<double>(problem_.loss == Loss::softmax ? plan_.m : 2 * plan_.m);
        for (Size l = 0; l <= last_; ++l) {
            const Penalty& penalty = problem_.penalties[l];
            if (penalty.weight_decay > 0) {
                double squares = 0;
                for (Size p = 0; p < layers_[l].out.count(); ++p) squares += layers_[l].decay[p];
                cost.weight_decay += penalty.weight_decay / 2 * squares;
            }
            if (has_penalty(l)) {
                double total = 0;
                for (Size j = 0; j < layers_[l].out.n; ++j) total += layers_[l].divergence[j];
                cost.sparsity += penalty.beta * total;
            }
        }
        return cost;
    }

private:
    const DeepProblem<T>& problem_;
    const DeepResults<T>& results_;
    const DeepPlan& plan_;
    const DeepScratch<T>& scratch_;
    const DeepLayerScratch<T>* const layers_;
    const Kernels<T>& k_;
    const Size last_;
    const bool by_strips_;

    bool has_penalty(Size l) const noexcept { return l < last_ && problem_.penalties[l].beta > 0; }
    const T* weights_of_strip(Size s) const noexcept {
        return scratch_.row_weight == nullptr ? nullptr : scratch_.row_weight + s * plan_.strip;
    }
    T* folded_panel(Size l, Size s, Size p) const noexcept {
        const PanelSplit& out = layers_[l].out;
        return layers_[l].folded + (s % plan_.n_kept * out.padded() + out.offset(p)) * plan_.strip;
    }
    // The first row of a strip in its block.
    Size row0(Size s) const noexcept { return s % plan_.strips_per_block() * plan_.strip; }
    // Panel p of a strip in a block's matrix.
    T* panel(T* matrix, const PanelSplit& split, Size s, Size p) const noexcept {
        return matrix + split.offset(p) * plan_.block + row0(s) * split.width(p);
    }

    // Before one strip's panel of some outputs of these inputs.
    bool stops(Team team, const PanelSplit& in) const noexcept { return team.stops(plan_.strip, in.n, 3 * k_.lanes); }

    // Calls work(worker, strips): once for each strip of this member's part, or for all strips together with the team.
    template <class Work>
    void each(Team team, Range strips, bool alone, Work work) const noexcept {
        Worker<T> w{team, scratch_.rows + team.id * plan_.widest_input, {}};
        for (Size i = 0; i < 3; ++i)
            if (scratch_.strips[i] != nullptr) w.strips[i] = scratch_.strips[i] + team.id * plan_.strip * plan_.widest;
        if (!alone) return work(w, strips);
        const Range part = team.share(strips.end - strips.begin);
        w.team = Team{0, 1, team.interrupt};
        for (Size s = strips.begin + part.begin; s < strips.begin + part.end; ++s) work(w, {s, s + 1});
    }

    // Calls item(strip) for this worker's part.
    template <class Item>
    static void share_strips(const Worker<T>& w, Range strips, Item item) noexcept {
        const Range part = w.team.share(strips.end - strips.begin);
        for (Size s = strips.begin + part.begin; s < strips.begin + part.end; ++s) item(s);
    }

    void pack(Team team) noexcept {
        for (Size l = 0; l <= last_; ++l) {
            const DeepLayerScratch<T>& layer = layers_[l];
            const T* W = problem_.layers[l].W;
            const Size n_in = layer.in.n;
            const Range panels = team.share(layer.out.count());
            for (Size p = panels.begin; p < panels.end; ++p) {
                const T* rows = W + layer.out.offset(p) * n_in;
                const Size n_rows = layer.out.used(p);
                k_.pack_transposed(W, n_in, layer.out.n, n_in, layer.W_t, p, p + 1);
                if (layer.W_n != nullptr)
                    k_.pack_right(rows, n_in, n_rows, n_in, layer.W_n, layer.out.n, layer.out.offset(p));
                if (problem_.penalties[l].weight_decay > 0) layer.decay[p] = k_.sum_squares(rows, n_rows * n_in);
            }
            if (team.id == 0) {
                std::copy(problem_.layers[l].b, problem_.layers[l].b + layer.out.n, layer.bias);
                std::fill(layer.bias + layer.out.n, layer.bias + layer.out.padded(), T(0));
                std::fill(layer.slope, layer.slope + layer.out.padded(), T(0));
            }
        }
        if (scratch_.labels == nullptr) return;
        const Range mine = team.share(plan_.m);
        for (Size i = mine.begin; i < mine.end; ++i)
            scratch_.labels[i] = problem_.labels[problem_.X.rows == nullptr ? i : problem_.X.rows[i]];
    }

    void pack_input(const Worker<T>& w, const Samples& X, Range strips, T* panels) const noexcept {
        share_strips(w, strips, [&](Size s) {
            if (w.team.stops(plan_.strip, X.n_features, 1)) return;
            pack_samples(X, s * plan_.strip, plan_.rows_of_strip(s), panels, plan_.block, row0(s), w.row);
        });
    }

    // Folded activations of one panel of hidden layer l and, where a is given, plain ones.
    void activate_panel(Size l, Size s, Size p, const Left<T>& in, T* a) noexcept {
        const DeepLayerScratch<T>& layer = layers_[l];
        const PanelSplit& out = layer.out;
        const Size n_rows = plan_.rows_of_strip(s);
        const T* bias = layer.bias + out.offset(p);
        const Unit unit = problem_.units[l];
        T* z = folded_panel(l, s, p);
        k_.product(in, n_rows, layer.in.n, {0, layer.in.count()}, layer.W_t + out.offset(p) * layer.in.n, out.shape(p),
                   z);
        if (unit == Unit::linear) {
            k_.activate(unit, z, n_rows, out.vectors(p), out.width(p), bias, z, out.width(p));
        } else {
            const Size at = s * out.padded() + out.offset(p);
            k_.hidden_forward(unit, z, n_rows, out.vectors(p), bias, weights_of_strip(s), layer.sum_s + at,
                              layer.sum_c + at);
        }
        if (a != nullptr) unfold_panel(l, s, p, a);
    }

    void unfold_panel(Size l, Size s, Size p, T* a) noexcept {
        const PanelSplit& out = layers_[l].out;
        const T* folded = folded_panel(l, s, p);
        const Size n_rows = plan_.rows_of_strip(s);
        if (problem_.units[l] == Unit::linear)
            std::copy(folded, folded + n_rows * out.width(p), a);
        else
            k_.unfold(problem_.units[l], folded, a, n_rows, out.vectors(p));
    }

    // X and the hidden layers of some strips, in a block.
    void forward(const Worker<T>& w, Range strips, Size buffer) noexcept {
        pack_input(w, problem_.X, strips, scratch_.X[buffer]);
        const T* in = scratch_.X[buffer];
        for (Size l = 0; l < last_; ++l) {
            T* a = layers_[l].a[buffer];
            w.team.barrier();
            share_panels(w.team, layers_[l].out, strips, [&](Size p, Size s) {
                if (stops(w.team, layers_[l].in)) return;
                activate_panel(l, s, p, {in, plan_.block, row0(s), 0}, panel(a, layers_[l].out, s, p));
            });
            in = a;
        }
    }

    void first_pass(const Worker<T>& w, Range strips) noexcept {
        if (plan_.n_blocks == 1) return forward(w, strips, 0);
        const Size s = strips.begin;
        Left<T> in = plain_rows<T>(problem_.X, s * plan_.strip);
        if (in.ld == 0) {
            pack_samples(problem_.X, s * plan_.strip, plan_.rows_of_strip(s), w.strips[2], plan_.strip, 0, w.row);
            in = {w.strips[2], plan_.strip, 0, 0};
        }
        for (Size l = 0; l < last_; ++l) {
            T* a = w.strips[l % 2];
            const PanelSplit& out = layers_[l].out;
            for (Size p = 0; p < out.count(); ++p) {
                if (stops(w.team, layers_[l].in)) return;
                activate_panel(l, s, p, in, l + 1 < last_ ? a + out.offset(p) * plan_.strip : nullptr);
            }
            in = {a, plan_.strip, 0, 0};
        }
    }

    void means(Team team) noexcept {
        double* rho_hat = results_.rho_hat;
        for (Size l = 0; l < last_; ++l) {
            if (problem_.units[l] == Unit::linear) continue;
            const Range mine = team.share(layers_[l].out.n);
            for (Size j = mine.begin; j < mine.end; ++j) {
                if (team.stops(plan_.m, layers_[l].in.n, 1)) return;
                Mean mean = mean_of_unit(l, j);
                if (has_penalty(l)) {
                    if (is_tiny<T>(mean)) mean = logarithmic_mean(l, j, scratch_.rows + team.id * plan_.widest_input);
                    penalise(l, j, mean);
                }
                if (rho_hat != nullptr) rho_hat[j] = mean.s;
            }
            if (rho_hat != nullptr) rho_hat += layers_[l].out.n;
        }
    }

    Mean mean_of_unit(Size l, Size j) const noexcept {
        const Size stride = layers_[l].out.padded();
        const double m = static_cast<double>(plan_.m);
        double s = 0;
        double c = 0;
        for (Size i = 0; i < plan_.n_strips; ++i) {
            s += static_cast<double>(layers_[l].sum_s[i * stride + j]);
            c += static_cast<double>(layers_[l].sum_c[i * stride + j]);
        }
        return mean_of(s / m, c / m);
    }

    void penalise(Size l, Size j, const Mean& mean) noexcept {
        const DeepLayerScratch<T>& layer = layers_[l];
        const Penalty& penalty = problem_.penalties[l];
        layer.mean[j] = mean;
        layer.divergence[j] = divergence(penalty.rho, mean);
        if (is_tiny<T>(mean)) return;  // slope stays 0: penalty_of_tiny_units adds the term
        const double factor = problem_.units[l] == Unit::tanh ? 0.5 : 1;
        layer.slope[j] = static_cast<T>(penalty.beta * factor * divergence_slope(penalty.rho, mean));
    }

    // Activation of a hidden unit for one sample, from what pass 1 has kept (see kernels/activation.hpp).
    double activation(Size l, Size i, Size j) const noexcept {
        const PanelSplit& out = layers_[l].out;
        const Size p = out.panel_of(j);
        const T* folded = folded_panel(l, i / plan_.strip, p);
        const double t = static_cast<double>(folded[i % plan_.strip * out.width(p) + j - out.offset(p)]);
        if (problem_.units[l] == Unit::linear) return t;
        if (problem_.units[l] == Unit::sigmoid) return std::signbit(t) ? 1 + t : t;
        return std::fabs(t) < 1 ? t : std::copysign(1 - 1 / std::fabs(t), t);
    }

    double pre_activation(Size l, Size i, Size j, T* row) const noexcept {
        const DeepLayer<const T>& layer = problem_.layers[l];
        if (l == 0) read_sample(problem_.X, i, row);
        double z = static_cast<double>(layer.b[j]);
        for (Size f = 0; f < layer.n_in; ++f)
            z += static_cast<double>(layer.W[j * layer.n_in + f]) *
                 (l == 0 ? static_cast<double>(row[f]) : activation(l - 1, i, f));
        return z;
    }

    Mean logarithmic_mean(Size l, Size j, T* row) const noexcept {
        LogMean s;
        LogMean c;
        for (Size i = 0; i < plan_.m; ++i) {
            const double z = pre_activation(l, i, j, row) * (problem_.units[l] == Unit::tanh ? 2 : 1);
            const double weight = scratch_.row_weight == nullptr ? 1 : static_cast<double>(scratch_.row_weight[i]);
            s.add(log_sigmoid(z), weight);
            c.add(log_sigmoid(-z), weight);
        }
        const double m = static_cast<double>(plan_.m);
        const double log_s = s.value(m);
        const double log_c = c.value(m);
        return {std::exp(log_s), std::exp(log_c), log_s, log_c};
    }

    // The penalty's term of delta for units whose mean is beyond the type's range, added to their column of a panel.
    void penalty_of_tiny_units(Size l, Size s, Size p, T* delta, T* sum_delta, T* row) const noexcept {
        const PanelSplit& out = layers_[l].out;
        const Penalty& penalty = problem_.penalties[l];
        const T* weights = weights_of_strip(s);
        for (Size c = 0; c < out.used(p); ++c) {
            const Size j = out.offset(p) + c;
            if (!is_tiny<T>(layers_[l].mean[j])) continue;
            for (Size r = 0; r < plan_.rows_of_strip(s); ++r) {
                const double z = pre_activation(l, s * plan_.strip + r, j, row);
                const double weight = weights == nullptr ? 1 : static_cast<double>(weights[r]);
                const T term = static_cast<T>(penalty.beta * weight *
                                              penalty_delta(z, problem_.units[l], penalty.rho, layers_[l].mean[j]));
                delta[r * out.width(p) + c] += term;
                sum_delta[c] += term;
            }
        }
    }

    void second_pass(const Worker<T>& w, Range strips, Size b) noexcept {
        const Size buffer = b % plan_.n_buffers;
        if (plan_.own_target) pack_input(w, problem_.target, strips, scratch_.target[buffer]);
        if (!plan_.penalised) {
            forward(w, strips, buffer);
        } else if (plan_.n_blocks > 1) {
            pack_input(w, problem_.X, strips, scratch_.X[buffer]);
            for (Size l = 0; l < last_; ++l)
                share_panels(w.team, layers_[l].out, strips, [&](Size p, Size s) {
                    unfold_panel(l, s, p, panel(layers_[l].a[buffer], layers_[l].out, s, p));
                });
        }
        w.team.barrier();
        output(w, strips, buffer);
        if (!plan_.gradient) return;
        for (Size l = last_ - 1; l >= 0; --l) {
            w.team.barrier();
            share_panels(w.team, layers_[l].out, strips, [&](Size p, Size s) {
                if (!stops(w.team, layers_[l + 1].out)) delta_panel(l, s, p, buffer, w.row);
            });
        }
    }

    void output(const Worker<T>& w, Range strips, Size buffer) noexcept {
        const DeepLayerScratch<T>& layer = layers_[last_];
        const PanelSplit& out = layer.out;
        const T* in = last_ == 0 ? scratch_.X[buffer] : layers_[last_ - 1].a[buffer];
        const bool squared = problem_.loss == Loss::squared;
        share_panels(w.team, out, strips, [&](Size p, Size s) {
            if (stops(w.team, layer.in)) return;
            T* z = panel(layer.delta[buffer], out, s, p);
            const Size n_rows = plan_.rows_of_strip(s);
            k_.product({in, plan_.block, row0(s), 0}, n_rows, layer.in.n, {0, layer.in.count()},
                       layer.W_t + out.offset(p) * layer.in.n, out.shape(p), z);
            if (squared)
                scratch_.losses[s * out.count() + p] =
                    k_.output_delta(problem_.units[last_], z, panel(scratch_.target[buffer], out, s, p), out.width(p),
                                    n_rows, out.vectors(p), out.used(p), layer.bias + out.offset(p),
                                    weights_of_strip(s), layer.sum_delta + s * out.padded() + out.offset(p));
        });
        if (squared) return;
        w.team.barrier();
        share_strips(w, strips, [&](Size s) {
            scratch_.losses[s] = k_.softmax_delta(layer.delta[buffer], plan_.block, row0(s), plan_.rows_of_strip(s),
                                                  out.n, layer.bias, scratch_.labels + s * plan_.strip,
                                                  weights_of_strip(s), layer.sum_delta + s * out.padded());
        });
    }

    void delta_panel(Size l, Size s, Size p, Size buffer, T* row) noexcept {
        const DeepLayerScratch<T>& layer = layers_[l];
        const DeepLayerScratch<T>& next = layers_[l + 1];
        const PanelSplit& out = layer.out;
        const Size n_rows = plan_.rows_of_strip(s);
        T* delta = panel(layer.delta[buffer], out, s, p);
        T* sum = layer.sum_delta + s * out.padded() + out.offset(p);
        k_.product({next.delta[buffer], plan_.block, row0(s), 0}, n_rows, next.out.n, {0, next.out.count()},
                   next.W_n + out.offset(p) * next.out.n, out.shape(p), delta);
        if (problem_.units[l] == Unit::linear) return k_.sum_columns(delta, n_rows, out.vectors(p), sum);
        k_.hidden_delta(problem_.units[l], delta, folded_panel(l, s, p), n_rows, out.vectors(p),
                        layer.slope + out.offset(p), weights_of_strip(s), sum);
        if (has_penalty(l)) penalty_of_tiny_units(l, s, p, delta, sum, row);
    }

    // The block's share of grad W_l = delta_l^T a_{l-1}, parallel over the panels of the result; the last block also
    // finishes what it owns.
    void gradients(Team team, Size b) noexcept {
        const Size buffer = b % plan_.n_buffers;
        Size total = 0;
        for (Size l = 0; l <= last_; ++l) total += layers_[l].in.padded() / plan_.lanes * layers_[l].out.n;
        const Range mine = team.share(total);
        Size at = 0;
        for (Size l = 0; l <= last_; ++l) {
            const DeepLayerScratch<T>& layer = layers_[l];
            const T* in = l == 0 ? scratch_.X[buffer] : layers_[l - 1].a[buffer];
            for (Size p = 0; p < layer.in.count(); ++p)
                for (Size q = 0; q < layer.out.count(); ++q) {
                    if (at >= mine.begin && at < mine.end) {
                        if (team.stops(plan_.block, layer.in.width(p), layer.out.used(q))) return;
                        // What one block finishes at once never leaves the cache.
                        T* C = layer.grad == nullptr ? scratch_.tiles + team.id * tile_size(plan_.lanes)
                                                     : layer.grad + layer.in.offset(p) * layer.out.n +
                                                           layer.out.offset(q) * layer.in.width(p);
                        gradient_tile(layer, layer.delta[buffer], in, b, p, q, C);
                        if (b == plan_.n_blocks - 1) finish_tile(l, p, q, C);
                    }
                    at += layer.in.vectors(p) * layer.out.used(q);
                }
        }
    }

    void gradient_tile(const DeepLayerScratch<T>& layer, const T* delta, const T* in, Size b, Size p, Size q,
                       T* C) noexcept {
        const Size n_rows = plan_.rows_of_block(b);
        const Size width_p = layer.in.width(p);
        const Size width_q = layer.out.width(q);
        const T* A = delta + layer.out.offset(q) * plan_.block;
        const T* B = in + layer.in.offset(p) * plan_.block;
        const Size ahead = q + 1 < layer.out.count() ? width_q * plan_.block : 0;
        for (Size r = 0; r < n_rows; r += kOuterRows)
            k_.outer(A + r * width_q, width_q, layer.out.used(q), B + r * width_p, width_p, layer.in.vectors(p),
                     std::min(kOuterRows, n_rows - r), C, b > 0 || r > 0, ahead);
    }

    void finish_tile(Size l, Size p, Size q, const T* C) noexcept {
        const DeepLayerScratch<T>& layer = layers_[l];
        const Size at = layer.out.offset(q) * layer.in.n + layer.in.offset(p);
        k_.finish_rows(C, layer.out.used(q), layer.in.vectors(p), layer.in.used(p),
                       static_cast<T>(1 / static_cast<double>(plan_.m)),
                       static_cast<T>(problem_.penalties[l].weight_decay), problem_.layers[l].W + at,
                       results_.grad[l].W + at, layer.in.n);
    }

    void bias_gradients(Team team) noexcept {
        for (Size l = 0; l <= last_; ++l) {
            const DeepLayerScratch<T>& layer = layers_[l];
            const Range mine = team.share(layer.out.n);
            for (Size j = mine.begin; j < mine.end; ++j) {
                double sum = 0;
                for (Size s = 0; s < plan_.n_strips; ++s)
                    sum += static_cast<double>(layer.sum_delta[s * layer.out.padded() + j]);
                results_.grad[l].b[j] = static_cast<T>(sum / static_cast<double>(plan_.m));
            }
        }
    }
};

}  // namespace

template <class T>
Cost deep_evaluate(const DeepProblem<T>& problem, const DeepResults<T>& results, int n_threads, Workspace& workspace) {
    const DeepPlan plan(problem, results.grad != nullptr, kernels<T>().lanes);
    const int n = team_size(n_threads, plan.work);
    Arena count;
    DeepScratch<T>(count, plan, problem, n);
    Arena arena(workspace.reserve(count.used()));
    const DeepScratch<T> scratch(arena, plan, problem, n);
    if (problem.sample_weight != nullptr) scale_weights(problem.sample_weight, problem.X, scratch.row_weight);

    DeepEvaluation<T> evaluation(problem, results, plan, scratch, n);
    parallel(n, [&](Team team) { evaluation.run(team); });
    return evaluation.cost();
}

template Cost deep_evaluate(const DeepProblem<float>&, const DeepResults<float>&, int, Workspace&);
template Cost deep_evaluate(const DeepProblem<double>&, const DeepResults<double>&, int, Workspace&);

}  // namespace sae_fast
