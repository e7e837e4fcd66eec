// An evaluation whose rows are samples: what is done to a strip, and to a tile of a gradient. Loops and barriers are
// those of rows.cpp. Who computes an element never changes how it is computed.
// One class, so long because all that is done to a strip shares its state.
#pragma once

#include <cmath>

#include "penalty.hpp"
#include "scratch.hpp"

namespace sae_fast {

/// Who works on some strips, and where: a team that shares their panels, or one member alone.
template <class T>
struct Worker {
    Team team;
    T* row;            // (features or targets,)
    Size slot;         // block memory
    Size first;        // the strip at its beginning
    bool packs;        // do samples have to be packed?
    Range mine{0, 0};  // strips that a member alone takes, group by group
    Size jump = 0;     // from the end of those to the ones that it takes after them
};

/// Calls item(panel, strip) for this member's part of panels x strips, in the order of panels; parts are equal in
/// vectors.
template <class Item>
void share_panels(Team team, const PanelSplit& split, Range strips, Item item) noexcept {
    const Size n_strips = strips.end - strips.begin;
    const Range mine = team.share(split.padded() / split.lanes * n_strips);
    Size at = 0;
    for (Size p = 0; p < split.count(); ++p)
        for (Size s = strips.begin; s < strips.end; ++s) {
            if (at >= mine.begin && at < mine.end) item(p, s);
            at += split.vectors(p);
        }
}

/// Calls item(i) for this member's part of i = range.begin ... range.end - 1.
template <class Item>
void share_items(Team team, Range range, Item item) noexcept {
    const Range part = team.share(range.end - range.begin);
    for (Size i = range.begin + part.begin; i < range.begin + part.end; ++i) item(i);
}

template <class T>
class Rows {
public:
    Rows(const Problem<T>& problem, const Results<T>& results, const Plan& plan, const Scratch<T>& scratch) noexcept
        : problem_(problem),
          network_(problem.network),
          results_(results),
          plan_(plan),
          scratch_(scratch),
          layers_(scratch.layers),
          k_(kernels<T>()),
          last_(plan.n_layers - 1) {}

    T* row_of(Team team) const noexcept {
        return scratch_.rows + team.id * std::max(plan_.features.n, layers_[last_].out.n);
    }

    // The rows of a panel lie side by side, so each is read once for all that is made of it.
    void pack_weights(Team team) const noexcept {
        for (Size l = 0; l <= last_; ++l) {
            const LayerScratch<T>& layer = layers_[l];
            const Layer<const T>& given = network_.layers[l];
            const Size n_in = layer.in.n;
            share_items(team, {0, layer.out.count()}, [&](Size p) {
                const T* rows = given.W + layer.out.offset(p) * n_in;
                const Size n_rows = layer.out.used(p);
                k_.pack_transposed(given.W, n_in, layer.out.n, n_in, layer.W_t, p, p + 1);
                if (layer.W_n != nullptr)
                    k_.pack_right(rows, n_in, n_rows, n_in, layer.W_n, layer.out.n, layer.out.offset(p));
                if (network_.settings[l].penalty.weight_decay > 0)
                    layer.squares[p] = k_.sum_squares(rows, n_rows * n_in);
            });
            if (team.id > 0) continue;
            std::copy(given.b, given.b + layer.out.n, layer.bias);
            std::fill(layer.bias + layer.out.n, layer.bias + layer.out.padded(), T(0));
            std::fill(layer.slope, layer.slope + layer.out.padded(), T(0));
        }
        if (scratch_.labels != nullptr)
            share_items(team, {0, plan_.m}, [&](Size i) {
                scratch_.labels[i] = problem_.labels[problem_.X.rows == nullptr ? i : problem_.X.rows[i]];
            });
    }

    /// Samples and targets of a strip, where they are not read in place.
    void pack_strip(const Worker<T>& w, Size s) const noexcept {
        if (w.team.stops(plan_.strip, plan_.features.n, 1)) return;
        pack_samples_of(w, s);
        if (scratch_.target != nullptr)
            pack_samples(problem_.target, s * plan_.strip, plan_.rows_of_strip(s),
                         matrix(scratch_.target, layers_[last_].out, w), plan_.block, row0(w, s), w.row);
    }
    void pack_samples_of(const Worker<T>& w, Size s) const noexcept {
        if (!w.packs) return;
        pack_samples(problem_.X, s * plan_.strip, plan_.rows_of_strip(s), matrix(scratch_.X, plan_.features, w),
                     plan_.block, row0(w, s), w.row);
    }

    /// Stored activations of hidden layer l, their sums and, if wanted, plain activations. In pass 1, the samples that
    /// come next are asked for.
    void hidden(const Worker<T>& w, Range strips, Size l, bool first_pass, bool restored) const noexcept {
        const LayerScratch<T>& layer = layers_[l];
        const PanelSplit& out = layer.out;
        products(
            w, strips, l, first_pass && l == 0, [&](Size p, Size s) { return stored_panel(w, l, s, p); },
            [&](Size p, Size s, T* z) {
                const Size at = s * out.padded() + out.offset(p);
                const Size n_rows = plan_.rows_of_strip(s);
                k_.hidden_forward(network_.settings[l].unit, z, n_rows, out.vectors(p), layer.bias + out.offset(p),
                                  weights_of_strip(s), layer.sum_s + at, layer.sum_c + at);
                if (restored) restore(w, l, s, p);
            });
    }

    void restore(const Worker<T>& w, Size l, Size s, Size p) const noexcept {
        const PanelSplit& out = layers_[l].out;
        const Size n_rows = plan_.rows_of_strip(s);
        T* a = panel(layers_[l].a, out, w, s, p);
        k_.restore(network_.settings[l].unit, stored_panel(w, l, s, p), a, n_rows, out.vectors(p));
        if (const Penalty& penalty = network_.settings[l].penalty; penalty.on_activations())
            layers_[l].activations[s * out.count() + p] =
                k_.activation_penalty(penalty, a, n_rows, out.vectors(p), out.used(p), weights_of_strip(s), nullptr);
        if (!plan_.ranges) return;
        const Size at = s * out.padded() + out.offset(p);
        k_.range_of_columns(a, n_rows, out.vectors(p), layers_[l].low + at, layers_[l].high + at);
    }

    /// The loss and delta of the last layer; where that takes whole rows, it is left to whole_rows().
    void output(const Worker<T>& w, Range strips) const noexcept {
        const LayerScratch<T>& layer = layers_[last_];
        const PanelSplit& out = layer.out;
        products(
            w, strips, last_, true, [&](Size p, Size s) { return panel(layer.delta, out, w, s, p); },
            [&](Size p, Size s, T* z) {
                if (facts(network_.loss).by_row) return;
                const View target = target_panel(w, s, p);
                scratch_.losses[s * out.count() + p] =
                    k_.output_delta(network_.settings[last_].unit, network_.loss, z, target.data, target.stride,
                                    plan_.rows_of_strip(s), out.vectors(p), out.used(p), layer.bias + out.offset(p),
                                    weights_of_strip(s), layer.sum_delta + s * out.padded() + out.offset(p));
            });
    }

    void whole_rows(const Worker<T>& w, Size s) const noexcept {
        const LayerScratch<T>& layer = layers_[last_];
        scratch_.losses[s] = k_.softmax_delta(
            matrix(layer.delta, layer.out, w), plan_.block, row0(w, s), plan_.rows_of_strip(s), layer.out.n, layer.bias,
            scratch_.labels + s * plan_.strip, weights_of_strip(s), layer.sum_delta + s * layer.out.padded());
    }

    /// Delta of hidden layer l from that of the next one.
    void backward(const Worker<T>& w, Range strips, Size l) const noexcept {
        const LayerScratch<T>& layer = layers_[l];
        const LayerScratch<T>& next = layers_[l + 1];
        const PanelSplit& out = layer.out;
        const LayerPenalty<T> penalty = penalty_of(l);
        share_panels(w.team, out, strips, [&](Size p, Size s) {
            if (stops(w, next.out)) return;
            const Size n_rows = plan_.rows_of_strip(s);
            T* delta = panel(layer.delta, out, w, s, p);
            T* sum = layer.sum_delta + s * out.padded() + out.offset(p);
            Left<T> A{matrix(next.delta, next.out, w), plan_.block, row0(w, s), 0};
            const Size later = plan_.penalised ? coming(w, s) : -1;
            if (later >= 0) A.ask = {stored_panel(w, l, later, p), out.width(p), out.width(p)};
            const Panels all{0, next.out.count()};
            ask_for_weights(A, next.far, next.W_n, out, p, next.out, all, group_of(w, strips, s), s);
            k_.product(A, n_rows, next.out.n, all, next.W_n + out.offset(p) * next.out.n, out.shape(p), delta);
            if (const Penalty& given = network_.settings[l].penalty; given.on_activations())
                k_.activation_penalty_delta(given, delta, panel(layer.a, out, w, s, p), n_rows, out.vectors(p),
                                            weights_of_strip(s), nullptr);
            k_.hidden_delta(network_.settings[l].unit, delta, stored_panel(w, l, s, p), n_rows, out.vectors(p),
                            layer.slope + out.offset(p), weights_of_strip(s), sum);
            if (penalty.exists()) penalty_of_tiny_units(w, penalty, l, s, p, delta, sum);
        });
    }

    /// Copies the deltas of a strip to the caller's arrays.
    void hand_out(const Worker<T>& w, Size s) const noexcept {
        for (Size l = 0; l <= last_; ++l)
            if (const PanelSplit& out = layers_[l].out; results_.deltas[l] != nullptr)
                k_.unpack_rows(matrix(layers_[l].delta, out, w), plan_.block, row0(w, s), plan_.rows_of_strip(s), out.n,
                               results_.deltas[l] + s * plan_.strip * out.n, out.n);
    }

    /// rho_hat and penalty of hidden units, where they have any.
    void means(Team team) const noexcept {
        for (Size l = 0; l < last_; ++l) {
            if (!has_mean(network_.settings[l].unit)) continue;
            const LayerScratch<T>& layer = layers_[l];
            const LayerPenalty<T> penalty = penalty_of(l);
            const Worker<T> w{team, row_of(team), 0, 0, false};
            share_items(team, {0, layer.out.n}, [&](Size j) {
                if (team.stops(plan_.m, layer.in.n, 1)) return;
                double s = 0;
                double c = 0;
                for (Size i = 0; i < plan_.n_strips; ++i) {
                    s += static_cast<double>(layer.sum_s[i * layer.out.padded() + j]);
                    c += static_cast<double>(layer.sum_c[i * layer.out.padded() + j]);
                }
                penalty.settle(j, s, c, [&](Size i) { return z_of(w, l, i, j); });
            });
        }
    }

    /// z of unit j of hidden layer l for sample i, whose strip the worker has in its memory (after pass 1: any).
    double z_of(const Worker<T>& w, Size l, Size i, Size j) const noexcept {
        return pre_activation(problem_, l, i, j, w.row, [&](Size f) {
            const PanelSplit& in = layers_[l].in;
            const Size p = in.panel_of(f);
            return stored_panel(w, l - 1, i / plan_.strip, p)[i % plan_.strip * in.width(p) + f - in.offset(p)];
        });
    }

    void unit_ranges(Team team) const noexcept {
        double* to = results_.unit_range;
        for (Size l = 0; l < last_; to += 2 * layers_[l].out.n, ++l) {
            const LayerScratch<T>& layer = layers_[l];
            share_items(team, {0, layer.out.n}, [&](Size j) {
                ActivationRange range;
                for (Size i = j; i < plan_.n_strips * layer.out.padded(); i += layer.out.padded())
                    range.add(static_cast<double>(layer.low[i]), static_cast<double>(layer.high[i]));
                range.store(to + 2 * j);
            });
        }
    }

    /// C (+)= the share of some strips in the tile of wide panel p and narrow panel q of a layer's gradient.
    void gradient_tile(Size l, Size slot, Range strips, Size p, Size q, T* C, bool accumulate) const noexcept {
        const LayerScratch<T>& layer = layers_[l];
        const PanelSplit& narrow = layer.narrow();
        const Size n_rows = std::min(strips.end * plan_.strip, plan_.m) - strips.begin * plan_.strip;
        const View of_delta = view(layer.delta, layer.out, slot, layer.transposed ? p : q);
        const View of_input = input_panel(l, slot, strips.begin, layer.transposed ? q : p);
        const View A = layer.transposed ? of_input : of_delta;
        const View B = layer.transposed ? of_delta : of_input;
        // Narrow panels stay in cache while they meet one wide panel after another: once they are there, it is the next
        // wide one that comes from far away, where panels are packed.
        const Size step = A.stride == narrow.width(q) ? A.stride * plan_.block : narrow.width(q);
        Size ahead = q + 1 < narrow.count() ? step : 0;
        const Size next = p + plan_.n_together;
        if (p >= plan_.n_together && B.stride == layer.wide().width(p))
            ahead = next < layer.wide().count()
                        ? B.data + (layer.wide().offset(next) - layer.wide().offset(p)) * plan_.block - A.data
                        : 0;
        for (Size r = 0; r < n_rows; r += k_.outer_rows)
            k_.outer(A.data + r * A.stride, A.stride, narrow.used(q), B.data + r * B.stride, B.stride,
                     layer.wide().vectors(p), std::min(k_.outer_rows, n_rows - r), C, accumulate || r > 0, ahead);
    }

    void finish_tile(Size l, Size p, Size q, const T* C) const noexcept {
        const LayerScratch<T>& layer = layers_[l];
        const PanelSplit& wide = layer.wide();
        const PanelSplit& narrow = layer.narrow();
        const Size n_in = layer.in.n;
        const Size at =
            layer.transposed ? wide.offset(p) * n_in + narrow.offset(q) : narrow.offset(q) * n_in + wide.offset(p);
        (layer.transposed ? k_.finish_transposed : k_.finish_rows)(
            C, narrow.used(q), wide.vectors(p), wide.used(p), static_cast<T>(1 / static_cast<double>(plan_.m)),
            static_cast<T>(network_.settings[l].penalty.weight_decay), network_.layers[l].W + at,
            results_.grad[l].W + at, n_in);
    }

    void bias_gradients(Team team) const noexcept {
        for (Size l = 0; l <= last_; ++l) {
            const LayerScratch<T>& layer = layers_[l];
            share_items(team, {0, layer.out.n}, [&](Size j) {
                double sum = 0;
                for (Size s = 0; s < plan_.n_strips; ++s)
                    sum += static_cast<double>(layer.sum_delta[s * layer.out.padded() + j]);
                results_.grad[l].b[j] = static_cast<T>(sum / static_cast<double>(plan_.m));
            });
        }
    }

    Cost cost() const noexcept {
        const Size n = plan_.n_strips * (facts(network_.loss).by_row ? 1 : layers_[last_].out.count());
        return cost_of(network_, static_cast<double>(plan_.m), {scratch_.losses, n}, [this](Size l) {
            const LayerScratch<T>& layer = layers_[l];
            const Size n_panels = layer.out.count();
            return LayerTerms{{layer.squares, n_panels},
                              {layer.divergence, layer.out.n},
                              {layer.activations, plan_.n_strips * n_panels}};
        });
    }

private:
    const Problem<T>& problem_;
    const Network<const T>& network_;
    const Results<T>& results_;
    const Plan& plan_;
    const Scratch<T>& scratch_;
    const LayerScratch<T>* const layers_;
    const Kernels<T>& k_;
    const Size last_;

    // Rows of a panel, `stride` elements apart.
    struct View {
        const T* data;
        Size stride;
    };

    // Before one strip's panel of some outputs of these inputs.
    bool stops(const Worker<T>& w, const PanelSplit& in) const noexcept {
        return w.team.stops(plan_.strip, in.n, 3 * plan_.lanes);
    }
    const T* weights_of_strip(Size s) const noexcept {
        return scratch_.row_weight == nullptr ? nullptr : scratch_.row_weight + s * plan_.strip;
    }
    // A worker's matrix; the first row of a strip in it; the panel of a strip.
    T* matrix(T* of_slots, const PanelSplit& split, const Worker<T>& w) const noexcept {
        return of_slots + w.slot * plan_.block * split.padded();
    }
    Size row0(const Worker<T>& w, Size s) const noexcept { return (s - w.first) * plan_.strip; }
    T* panel(T* of_slots, const PanelSplit& split, const Worker<T>& w, Size s, Size p) const noexcept {
        return matrix(of_slots, split, w) + split.offset(p) * plan_.block + row0(w, s) * split.width(p);
    }
    T* stored_panel(const Worker<T>& w, Size l, Size s, Size p) const noexcept {
        const PanelSplit& out = layers_[l].out;
        const Size strip = plan_.penalised ? s : w.slot * plan_.strips_per_block() + s - w.first;
        return layers_[l].stored + (strip * out.padded() + out.offset(p)) * plan_.strip;
    }
    View view(const T* of_slots, const PanelSplit& split, Size slot, Size p) const noexcept {
        return {of_slots + (slot * split.padded() + split.offset(p)) * plan_.block, split.width(p)};
    }
    // What a layer reads, from the first row of strip s, which stands at the beginning of the slot.
    View input_panel(Size l, Size slot, Size s, Size p) const noexcept {
        if (l > 0) return view(layers_[l - 1].a, layers_[l].in, slot, p);
        if (!plan_.in_place) return view(scratch_.X, plan_.features, slot, p);
        const Left<T> rows = plain_rows<T>(problem_.X, s * plan_.strip);
        return {rows.data + plan_.features.offset(p), rows.ld};
    }
    View target_panel(const Worker<T>& w, Size s, Size p) const noexcept {
        const PanelSplit& out = layers_[last_].out;
        if (plan_.own_target ? plan_.target_in_place : plan_.in_place) {
            const Left<T> rows = plain_rows<T>(plan_.own_target ? problem_.target : problem_.X, s * plan_.strip);
            return {rows.data + out.offset(p), rows.ld};
        }
        return {panel(plan_.own_target ? scratch_.target : scratch_.X, out, w, s, p), out.width(p)};
    }

    LayerPenalty<T> penalty_of(Size l) const noexcept {
        return {problem_, results_, l, layers_[l], scratch_.row_weight};
    }
    // The penalty's term of delta for units whose mean is beyond the type's range, added to their column of a panel.
    void penalty_of_tiny_units(const Worker<T>& w, const LayerPenalty<T>& penalty, Size l, Size s, Size p, T* delta,
                               T* sum) const noexcept {
        const PanelSplit& out = layers_[l].out;
        for (Size c = 0; c < out.used(p); ++c) {
            const Size j = out.offset(p) + c;
            if (!penalty.is_tiny_unit(j)) continue;
            for (Size r = 0; r < plan_.rows_of_strip(s); ++r) {
                const Size i = s * plan_.strip + r;
                const T term = penalty.tiny_delta(i, j, z_of(w, l, i, j));
                delta[r * out.width(p) + c] += term;
                sum[c] += term;
            }
        }
    }

    // The product of layer l's weights and its input, to z(p, s), and done(p, s, z) as soon as a panel is complete.
    // Inputs that are activations are taken in parts, so that a part of them stays in cache with the weights it meets.
    template <class Z, class Done>
    void products(const Worker<T>& w, Range strips, Size l, bool ask, Z z, Done done) const noexcept {
        const LayerScratch<T>& layer = layers_[l];
        const PanelSplit& out = layer.out;
        for (Panels part{0, 0}; part.end < layer.in.count();) {
            part = l == 0 ? Panels{0, layer.in.count()} : layer.in.part(part.end, k_.part_columns);
            share_panels(w.team, out, strips, [&](Size p, Size s) {
                if (stops(w, layer.in)) return;
                Left<T> A = input(w, l, s);
                if (ask && part.begin == 0) A.ask = samples_to_come(coming(w, s), p, out.count());
                ask_for_weights(A, layer.far, layer.W_t, out, p, layer.in, part, group_of(w, strips, s), s);
                T* to = z(p, s);
                k_.product(A, plan_.rows_of_strip(s), layer.in.n, part, layer.W_t + out.offset(p) * layer.in.n,
                           out.shape(p), to);
                if (part.end == layer.in.count()) done(p, s, to);
            });
        }
    }
    Left<T> input(const Worker<T>& w, Size l, Size s) const noexcept {
        if (l > 0) return {matrix(layers_[l - 1].a, layers_[l].in, w), plan_.block, row0(w, s), 0};
        if (plan_.plain) return plain_rows<T>(problem_.X, s * plan_.strip);
        return {matrix(scratch_.X, plan_.features, w), plan_.block, row0(w, s), 0};
    }

    // Strips that take a panel of weights in turn.
    Range group_of(const Worker<T>& w, Range strips, Size s) const noexcept {
        return w.team.n > 1 ? Range{s, s + 1} : strips;
    }
    // The strip that a member alone turns to a group later, or -1.
    Size coming(const Worker<T>& w, Size s) const noexcept {
        if (w.mine.begin == w.mine.end || plan_.at_once) return -1;
        const Size next = s + plan_.group;
        const Size later = next < w.mine.end ? next : next + w.jump;
        return later < plan_.n_strips ? later : -1;
    }
    // Strip s's share of columns that a product may ask for; none where they do not lie side by side.
    Ask<T> samples_to_come(Size s, Size p, Size n_panels) const noexcept {
        if (s < 0) return {};
        const Left<T> rows = plain_rows<T>(problem_.X, s * plan_.strip);
        const Size n = plan_.features.n;
        if (rows.ld == 0 || !worth_asking<T>(n, rows.ld)) return {};
        return {rows.data + n * p / n_panels, rows.ld, n * (p + 1) / n_panels - n * p / n_panels};
    }
    // Asks for the panel of weights after p: strip s of a group for its share of it. `of` are the panels of outputs,
    // `in` those of inputs.
    void ask_for_weights(Left<T>& A, bool far, const T* weights, const PanelSplit& of, Size p, const PanelSplit& in,
                         Panels part, Range group, Size s) const noexcept {
        if (!far || p + 1 >= of.count()) return;
        const Size begin = in.offset(part.begin);
        A.n_coming = in.columns(part) * of.width(p + 1) / (group.end - group.begin);
        A.coming = weights + of.offset(p + 1) * in.n + begin * of.width(p + 1) + (s - group.begin) * A.n_coming;
    }
};

}  // namespace sae_fast
