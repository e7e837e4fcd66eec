// Cost and gradients in two passes. The phases of a call, each followed by a barrier:
//   pack         weights into panels, sums of their squares
//   activate     pass 1: folded activations of every strip, sums of activations
//   means        rho_hat, penalty and its slope, unit by unit
//   block 0 ...  pass 2: delta3 and delta2 of the block's strips; barrier; the block's share of the weight gradients
//   or chunks    pass 2 where gradients are small: deltas and gradients of this member's chunks; barrier; their sum
//   finish       bias gradients, cost
// A thread owns whole strips where there are enough of them; otherwise threads share the panels of each strip, with a
// barrier between products that feed one another. Who computes an element never changes how it is computed.
// One class, so long because the phases share its state.
#include <cmath>

#include "columns.hpp"
#include "evaluation.hpp"
#include "penalty.hpp"
#include "team.hpp"

namespace sae_fast {

namespace {

template <class T>
class Evaluation {
public:
    Evaluation(const Problem<T>& problem, const Results<T>& results, const Plan& plan, const Scratch<T>& scratch,
               int n_threads) noexcept
        : problem_(problem),
          results_(results),
          params_(problem.params),
          plan_(plan),
          scratch_(scratch),
          penalty_(problem, scratch.row_weight, {results.rho_hat, scratch.mean, scratch.divergence, scratch.slope}),
          k_(kernels<T>()),
          in_place_(scratch.blocks[0].X == nullptr),
          by_strips_(plan.by_strips(n_threads)),
          deltas_(results.grad != nullptr || results.delta3 != nullptr || results.delta2 != nullptr) {}

    void run(Team team) noexcept {
        pack(team);
        team.barrier();
        activate(team);
        team.barrier();
        means(team);
        team.barrier();
        if (plan_.chunk > 0) {
            chunks(team);
            team.barrier();
            if (results_.grad != nullptr) sum_chunks(team);
        }
        for (Size b = 0; b < plan_.n_blocks && plan_.chunk == 0; ++b) {
            deltas(team, b);
            team.barrier();
            if (results_.grad != nullptr) gradients(team, b);
        }
        if (results_.grad != nullptr) bias_gradients(team);
    }

    Cost cost() const noexcept {
        return cost_of(
            problem_.penalty, static_cast<double>(plan_.m), {scratch_.squares, plan_.n_strips * plan_.visible.count()},
            {scratch_.decay, plan_.hidden.count() + plan_.visible.count()}, {scratch_.divergence, plan_.hidden.n});
    }

private:
    const Problem<T>& problem_;
    const Results<T>& results_;
    const Params<const T>& params_;
    const Plan& plan_;
    const Scratch<T>& scratch_;
    const UnitPenalty<T> penalty_;
    const Kernels<T>& k_;
    const bool in_place_;  // are the samples read where they lie, also as right operand of a gradient?
    const bool by_strips_;
    const bool deltas_;

    // Rows of a panel, `stride` elements apart.
    struct Rows {
        const T* data;
        Size stride;
    };

    T* buffer(Team team) const noexcept { return scratch_.rows + team.id * plan_.visible.n; }
    // Before one strip's panel of some outputs of these inputs.
    bool stops(Team team, const PanelSplit& in) const noexcept { return team.stops(plan_.strip, in.n, 3 * k_.lanes); }
    const T* weights_of_strip(Size s) const noexcept {
        return scratch_.row_weight == nullptr ? nullptr : scratch_.row_weight + s * plan_.strip;
    }
    T* folded_panel(Size s, Size p) const noexcept {
        return scratch_.folded + (s * plan_.hidden.padded() + plan_.hidden.offset(p)) * plan_.strip;
    }

    void pack(Team team) noexcept {
        const PanelSplit& v = plan_.visible;
        const PanelSplit& h = plan_.hidden;
        // The rows of a panel lie side by side, so each is read once for all that is made of it.
        const bool decay = problem_.penalty.weight_decay > 0;
        const Range of_hidden = team.share(h.count());
        for (Size p = of_hidden.begin; p < of_hidden.end; ++p) {
            k_.pack_transposed(params_.W1, v.n, h.n, v.n, scratch_.W1_t, p, p + 1);
            if (decay) scratch_.decay[p] = k_.sum_squares(params_.W1 + h.offset(p) * v.n, h.used(p) * v.n);
        }
        const Range of_visible = team.share(v.count());
        for (Size p = of_visible.begin; p < of_visible.end; ++p) {
            const T* rows = params_.W2 + v.offset(p) * h.n;
            k_.pack_transposed(params_.W2, h.n, v.n, h.n, scratch_.W2_t, p, p + 1);
            k_.pack_right(rows, h.n, v.used(p), h.n, scratch_.W2_n, v.n, v.offset(p));
            if (decay) scratch_.decay[h.count() + p] = k_.sum_squares(rows, v.used(p) * h.n);
        }
        if (plan_.n_blocks == 1 && !in_place_) {
            const Range strips = team.share(plan_.n_strips);
            for (Size s = strips.begin; s < strips.end; ++s)
                pack_samples(problem_.X, s * plan_.strip, plan_.rows_of_strip(s), scratch_.blocks[0].X, plan_.block,
                             s * plan_.strip, buffer(team));
        }
        if (team.id == 0) {
            std::fill(scratch_.b1, scratch_.b1 + h.padded(), T(0));
            std::copy(params_.b1, params_.b1 + h.n, scratch_.b1);
            std::fill(scratch_.b2, scratch_.b2 + v.padded(), T(0));
            std::copy(params_.b2, params_.b2 + v.n, scratch_.b2);
            std::fill(scratch_.slope, scratch_.slope + h.padded(), T(0));
        }
    }

    // Asks for the panel of weights after p: strip s of a group for its share of it. `of` are the panels of outputs,
    // `in` those of inputs.
    void ask_for_weights(Left<T>& A, const T* weights, const PanelSplit& of, Size p, const PanelSplit& in, Panels part,
                         Range group, Size s) const noexcept {
        if (!plan_.far || p + 1 >= of.count()) return;
        const Size begin = in.offset(part.begin);
        const Size end = part.end == in.count() ? in.n : in.offset(part.end);
        const Size n_strips = group.end - group.begin;
        A.n_coming = (end - begin) * of.width(p + 1) / n_strips;
        A.coming = weights + of.offset(p + 1) * in.n + begin * of.width(p + 1) + (s - group.begin) * A.n_coming;
    }

    void activate_panel(const Left<T>& X, Size s, Size p) noexcept {
        const PanelSplit& h = plan_.hidden;
        const Size at = s * h.padded() + h.offset(p);
        T* z = folded_panel(s, p);
        const Size n_rows = plan_.rows_of_strip(s);
        k_.product(X, n_rows, plan_.visible.n, {0, plan_.visible.count()},
                   scratch_.W1_t + h.offset(p) * plan_.visible.n, h.shape(p), z);
        k_.hidden_forward(problem_.hidden, z, n_rows, h.vectors(p), scratch_.b1 + h.offset(p), weights_of_strip(s),
                          scratch_.sum_s + at, scratch_.sum_c + at);
    }

    void activate(Team team) noexcept {
        const Size n_panels = plan_.hidden.count();
        if (plan_.n_blocks == 1)
            return share_panels(team, plan_.hidden, {0, plan_.n_strips}, [&](Size p, Size s) {
                if (!stops(team, plan_.visible))
                    activate_panel(in_place_ ? plain_rows<T>(problem_.X, s * plan_.strip)
                                             : Left<T>{scratch_.blocks[0].X, plan_.block, s * plan_.strip, 0},
                                   s, p);
            });
        T* strip = scratch_.strips + team.id * plan_.strip * plan_.visible.padded();
        const Range mine = team.share(plan_.n_strips);
        const bool plain = plain_rows<T>(problem_.X, 0).ld > 0;
        const Size group = plain ? plan_.group : 1;
        for (Size s0 = mine.begin; s0 < mine.end; s0 += group) {
            const Range strips{s0, std::min(s0 + group, mine.end)};
            if (!plain)
                pack_samples(problem_.X, s0 * plan_.strip, plan_.rows_of_strip(s0), strip, plan_.strip, 0,
                             buffer(team));
            for (Size p = 0; p < n_panels; ++p)
                for (Size s = strips.begin; s < strips.end; ++s) {
                    if (stops(team, plan_.visible)) return;
                    Left<T> X{strip, plan_.strip, 0, 0};
                    if (plain) X = plain_rows<T>(problem_.X, s * plan_.strip);
                    if (s + group < mine.end)
                        X.ask = samples_to_come(s + group, plan_.visible.n * p / n_panels,
                                                plan_.visible.n * (p + 1) / n_panels);
                    ask_for_weights(X, scratch_.W1_t, plan_.hidden, p, plan_.visible, {0, plan_.visible.count()},
                                    strips, s);
                    activate_panel(X, s, p);
                }
        }
    }

    // Columns of strip s that a product may ask for; none where they do not lie side by side.
    Ask<T> samples_to_come(Size s, Size begin, Size end) const noexcept {
        const Left<T> rows = plain_rows<T>(problem_.X, s * plan_.strip);
        if (rows.ld == 0 || !worth_asking<T>(plan_.visible.n, rows.ld)) return {};
        return {rows.data + begin, rows.ld, end - begin};
    }

    void means(Team team) noexcept {
        const Size h = plan_.hidden.padded();
        const double m = static_cast<double>(plan_.m);
        const Range mine = team.share(plan_.hidden.n);
        for (Size j = mine.begin; j < mine.end; ++j) {
            if (team.stops(plan_.m, plan_.visible.n, 1)) return;
            double s = 0;
            double c = 0;
            for (Size i = 0; i < plan_.n_strips; ++i) {
                s += static_cast<double>(scratch_.sum_s[i * h + j]);
                c += static_cast<double>(scratch_.sum_c[i * h + j]);
            }
            penalty_.settle(j, s / m, c / m, buffer(team));
        }
    }

    // The penalty's term of delta2 for units whose mean is beyond the type's range, added to their column of a panel.
    void penalty_of_tiny_units(Size s, Size p, T* panel, T* sum_delta, T* row) const noexcept {
        const PanelSplit& h = plan_.hidden;
        for (Size c = 0; c < h.used(p); ++c) {
            const Size j = h.offset(p) + c;
            if (!penalty_.is_tiny_unit(j)) continue;
            for (Size r = 0; r < plan_.rows_of_strip(s); ++r) {
                const T delta = penalty_.tiny_delta(s * plan_.strip + r, j, row);
                panel[r * h.width(p) + c] += delta;
                sum_delta[c] += delta;
            }
        }
    }

    void unfold_panel(const Block<T>& block, Size s, Size p, Size row0) noexcept {
        const PanelSplit& h = plan_.hidden;
        T* a2 = block.a2 + h.offset(p) * plan_.block + row0 * h.width(p);
        k_.unfold(problem_.hidden, folded_panel(s, p), a2, plan_.rows_of_strip(s), h.vectors(p));
    }

    // `coming` is a strip whose samples will be packed soon, or -1.
    void delta3_panel(const Block<T>& block, Range group, Size s, Size p, Size row0, Panels part,
                      Size coming) noexcept {
        const PanelSplit& v = plan_.visible;
        const Size n_rows = plan_.rows_of_strip(s);
        const Size at = v.offset(p) * plan_.block + row0 * v.width(p);
        Left<T> a2{block.a2, plan_.block, row0, 0};
        if (coming >= 0 && part.begin == 0) a2.ask = samples_to_come(coming, v.offset(p), v.offset(p) + v.used(p));
        ask_for_weights(a2, scratch_.W2_t, v, p, plan_.hidden, part, group, s);
        k_.product(a2, n_rows, plan_.hidden.n, part, scratch_.W2_t + v.offset(p) * plan_.hidden.n, v.shape(p),
                   block.delta3 + at);
        if (part.end < plan_.hidden.count()) return;
        const Rows X = samples_panel(block, s * plan_.strip, row0, p);
        scratch_.squares[s * v.count() + p] = k_.output_delta(
            problem_.output, block.delta3 + at, X.data, X.stride, n_rows, v.vectors(p), v.used(p),
            scratch_.b2 + v.offset(p), weights_of_strip(s), scratch_.sum_delta3 + s * v.padded() + v.offset(p));
    }

    void delta2_panel(const Block<T>& block, Range group, Size s, Size p, Size row0, Size coming, T* row) noexcept {
        const PanelSplit& h = plan_.hidden;
        const Size n_rows = plan_.rows_of_strip(s);
        T* panel = block.delta2 + h.offset(p) * plan_.block + row0 * h.width(p);
        T* sum = scratch_.sum_delta2 + s * h.padded() + h.offset(p);
        Left<T> delta3{block.delta3, plan_.block, row0, 0};
        if (coming >= 0) delta3.ask = {folded_panel(coming, p), h.width(p), h.width(p)};
        ask_for_weights(delta3, scratch_.W2_n, h, p, plan_.visible, {0, plan_.visible.count()}, group, s);
        k_.product(delta3, n_rows, plan_.visible.n, {0, plan_.visible.count()},
                   scratch_.W2_n + h.offset(p) * plan_.visible.n, h.shape(p), panel);
        k_.hidden_delta(problem_.hidden, panel, folded_panel(s, p), n_rows, h.vectors(p), scratch_.slope + h.offset(p),
                        weights_of_strip(s), sum);
        if (penalty_.exists()) penalty_of_tiny_units(s, p, panel, sum, row);
    }

    void deltas(Team team, Size b) noexcept {
        const Block<T>& block = scratch_.blocks[b % plan_.n_buffers];
        const Range strips = plan_.strips_of_block(b);
        const Size n_strips = strips.end - strips.begin;
        const auto row0 = [&](Size s) { return (s - strips.begin) * plan_.strip; };
        if (by_strips_) {
            const Range part = team.share(n_strips);
            const Range mine{strips.begin + part.begin, strips.begin + part.end};
            for (Size s = mine.begin; s < mine.end; s += plan_.group)
                deltas_of_group(team, block, {s, std::min(s + plan_.group, mine.end)}, mine, strips.begin);
            return;
        }
        const Range part = team.share(n_strips);
        for (Size s = strips.begin + part.begin; s < strips.begin + part.end && !stops(team, plan_.visible); ++s) {
            if (plan_.n_blocks > 1) pack_block(team, block, s, row0(s));
            for (Size p = 0; p < plan_.hidden.count(); ++p) unfold_panel(block, s, p, row0(s));
        }
        team.barrier();
        share_panels(team, plan_.visible, strips, [&](Size p, Size s) {
            if (!stops(team, plan_.hidden))
                delta3_panel(block, {s, s + 1}, s, p, row0(s), {0, plan_.hidden.count()}, -1);
        });
        if (!deltas_) return;
        team.barrier();
        share_panels(team, plan_.hidden, strips, [&](Size p, Size s) {
            if (!stops(team, plan_.visible)) delta2_panel(block, {s, s + 1}, s, p, row0(s), -1, buffer(team));
        });
        if (results_.delta3 == nullptr && results_.delta2 == nullptr) return;
        team.barrier();
        for (Size s = strips.begin + part.begin; s < strips.begin + part.end; ++s) hand_out(block, s, row0(s));
    }

    // Strips of a group side by side, so that a panel of weights serves all of them while it is in cache.
    void deltas_of_group(Team team, const Block<T>& block, Range group, Range mine, Size first) noexcept {
        const auto row0 = [&](Size s) { return (s - first) * plan_.strip; };
        // The strip that this member turns to a group later, perhaps in the next block.
        const auto coming = [&](Size s) {
            Size next = s + plan_.group;
            if (next >= mine.end) next += plan_.strips_per_block() - (mine.end - mine.begin);
            return plan_.n_blocks > 1 && next < plan_.n_strips ? next : -1;
        };
        if (stops(team, plan_.visible)) return;
        for (Size s = group.begin; s < group.end; ++s) {
            if (plan_.n_blocks > 1) pack_block(team, block, s, row0(s));
            for (Size p = 0; p < plan_.hidden.count(); ++p) unfold_panel(block, s, p, row0(s));
        }
        for (Panels part{0, 0}; part.end < plan_.hidden.count();) {
            part = plan_.hidden.part(part.end, kPartColumns);
            for (Size p = 0; p < plan_.visible.count(); ++p)
                for (Size s = group.begin; s < group.end; ++s) {
                    if (stops(team, plan_.hidden)) return;
                    delta3_panel(block, group, s, p, row0(s), part, coming(s));
                }
        }
        if (!deltas_) return;
        for (Size p = 0; p < plan_.hidden.count(); ++p)
            for (Size s = group.begin; s < group.end; ++s) {
                if (stops(team, plan_.visible)) return;
                delta2_panel(block, group, s, p, row0(s), coming(s), buffer(team));
            }
        for (Size s = group.begin; s < group.end; ++s) hand_out(block, s, row0(s));
    }

    // One panel of the samples from `first` on, rows row0 ... of the block: packed, or where they lie.
    Rows samples_panel(const Block<T>& block, Size first, Size row0, Size p) const noexcept {
        const Size at = plan_.visible.offset(p);
        const Size width = plan_.visible.width(p);
        if (!in_place_) return {block.X + at * plan_.block + row0 * width, width};
        const Left<T> rows = plain_rows<T>(problem_.X, first);
        return {rows.data + at, rows.ld};
    }

    void pack_block(Team team, const Block<T>& block, Size s, Size row0) noexcept {
        if (in_place_) return;
        pack_samples(problem_.X, s * plan_.strip, plan_.rows_of_strip(s), block.X, plan_.block, row0, buffer(team));
    }

    // Copies a strip's deltas to the caller's arrays.
    void hand_out(const Block<T>& block, Size s, Size row0) noexcept {
        const Size v = plan_.visible.n;
        const Size h = plan_.hidden.n;
        const Size n_rows = plan_.rows_of_strip(s);
        if (results_.delta3 != nullptr)
            k_.unpack_rows(block.delta3, plan_.block, row0, n_rows, v, results_.delta3 + s * plan_.strip * v, v);
        if (results_.delta2 != nullptr)
            k_.unpack_rows(block.delta2, plan_.block, row0, n_rows, h, results_.delta2 + s * plan_.strip * h, h);
    }

    // Chunk by chunk: deltas and gradients of the chunk, a block at a time, in memory of this member's own.
    void chunks(Team team) noexcept {
        const Block<T> block = scratch_.blocks[0].neighbour(plan_, team.id);
        const Range mine = team.share(plan_.n_chunks);
        for (Size c = mine.begin; c < mine.end; ++c) {
            const Range chunk = plan_.strips_of_chunk(c);
            for (Size first = chunk.begin; first < chunk.end; first += plan_.strips_per_block()) {
                const Size end = std::min(first + plan_.strips_per_block(), chunk.end);
                for (Size s = first; s < end; ++s) deltas_of_group(team, block, {s, s + 1}, {0, plan_.n_strips}, first);
                if (results_.grad == nullptr) continue;
                const Range rows{first * plan_.strip, std::min(end * plan_.strip, plan_.m)};
                for (int which = 0; which < 2; ++which)
                    for (Size p = 0; p < plan_.visible.count(); ++p)
                        for (Size q = 0; q < plan_.hidden.count(); ++q) {
                            if (stops(team, plan_.hidden)) return;
                            gradient_tile(block, which, rows, p, q, gradient(c, which, p, q), first > chunk.begin);
                        }
            }
        }
    }

    void sum_chunks(Team team) noexcept {
        share_tiles(team, [&](int which, Size p, Size q) {
            T* sum = gradient(0, which, p, q);
            const Size n = plan_.hidden.used(q) * plan_.visible.width(p);
            for (Size c = 1; c < plan_.n_chunks; ++c) k_.add_scaled(sum, T(1), gradient(c, which, p, q), n, sum);
            finish_tile(which, p, q, sum);
        });
    }

    // The tile of panels p and q in a gradient of a chunk.
    T* gradient(Size c, int which, Size p, Size q) const noexcept {
        return scratch_.grad + (2 * c + which) * plan_.gradient() + plan_.visible.offset(p) * plan_.hidden.n +
               plan_.hidden.offset(q) * plan_.visible.width(p);
    }

    // Calls item(which, p, q) for this member's part of the tiles of both gradients.
    template <class Item>
    void share_tiles(Team team, Item item) const noexcept {
        const PanelSplit& v = plan_.visible;
        const PanelSplit& h = plan_.hidden;
        const Range mine = team.share(2 * v.padded() / v.lanes * h.count());
        Size at = 0;
        for (int which = 0; which < 2; ++which)
            for (Size q0 = 0; q0 < h.count(); q0 += plan_.n_left)
                for (Size p = 0; p < v.count(); ++p)
                    for (Size q = q0; q < std::min(q0 + plan_.n_left, h.count()); ++q) {
                        if (at >= mine.begin && at < mine.end) item(which, p, q);
                        at += v.vectors(p);
                    }
    }

    // The block's share of grad W1 = delta2^T X and grad W2^T = a2^T delta3, parallel over the panels of the result;
    // the last block also finishes what it owns.
    void gradients(Team team, Size b) noexcept {
        const Size first = b * plan_.block;
        share_tiles(team, [&](int which, Size p, Size q) {
            if (team.stops(plan_.block, 3 * k_.lanes, 3 * k_.lanes)) return;
            // What one block finishes at once never leaves the cache.
            T* C = plan_.n_blocks == 1 ? scratch_.tiles + team.id * plan_.tile() : gradient(0, which, p, q);
            gradient_tile(scratch_.blocks[b % plan_.n_buffers], which, {first, first + plan_.rows_of_block(b)}, p, q, C,
                          b > 0);
            if (b == plan_.n_blocks - 1) finish_tile(which, p, q, C);
        });
    }

    // C (+)= the share of a block that holds these rows.
    void gradient_tile(const Block<T>& block, int which, Range rows, Size p, Size q, T* C, bool accumulate) noexcept {
        const PanelSplit& v = plan_.visible;
        const PanelSplit& h = plan_.hidden;
        const Size n_rows = rows.end - rows.begin;
        const T* A = (which == 0 ? block.delta2 : block.a2) + h.offset(q) * plan_.block;
        const Rows B = which == 0 ? samples_panel(block, rows.begin, 0, p)
                                  : Rows{block.delta3 + v.offset(p) * plan_.block, v.width(p)};
        const Size ahead = q + 1 < h.count() ? h.width(q) * plan_.block : 0;
        for (Size r = 0; r < n_rows; r += kOuterRows)
            k_.outer(A + r * h.width(q), h.width(q), h.used(q), B.data + r * B.stride, B.stride, v.vectors(p),
                     std::min(kOuterRows, n_rows - r), C, accumulate || r > 0, ahead);
    }

    void finish_tile(int which, Size p, Size q, const T* C) noexcept {
        const PanelSplit& v = plan_.visible;
        const PanelSplit& h = plan_.hidden;
        const T scale = static_cast<T>(1 / static_cast<double>(plan_.m));
        const T decay = static_cast<T>(problem_.penalty.weight_decay);
        const Size at = which == 0 ? h.offset(q) * v.n + v.offset(p) : v.offset(p) * h.n + h.offset(q);
        if (which == 0)
            k_.finish_rows(C, h.used(q), v.vectors(p), v.used(p), scale, decay, params_.W1 + at, results_.grad->W1 + at,
                           v.n);
        else
            k_.finish_transposed(C, h.used(q), v.vectors(p), v.used(p), scale, decay, params_.W2 + at,
                                 results_.grad->W2 + at, h.n);
    }

    void bias_gradients(Team team) noexcept {
        bias_gradient(team.share(plan_.hidden.n), scratch_.sum_delta2, plan_.hidden.padded(), results_.grad->b1);
        bias_gradient(team.share(plan_.visible.n), scratch_.sum_delta3, plan_.visible.padded(), results_.grad->b2);
    }

    void bias_gradient(Range columns, const T* sums, Size stride, T* grad) const noexcept {
        for (Size j = columns.begin; j < columns.end; ++j) {
            double sum = 0;
            for (Size s = 0; s < plan_.n_strips; ++s) sum += static_cast<double>(sums[s * stride + j]);
            grad[j] = static_cast<T>(sum / static_cast<double>(plan_.m));
        }
    }
};

}  // namespace

template <class T>
Cost evaluate(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace) {
    const Size m = problem.X.n_samples;
    const Size v = problem.params.n_visible;
    const Size h = problem.params.n_hidden;
    const int n = team_size(n_threads, 5.0 * static_cast<double>(m) * static_cast<double>(v) * static_cast<double>(h));
    if (worth_columns(problem, results)) return evaluate_columns(problem, results, n, workspace);
    const Plan plan(m, v, h, kernels<T>().lanes, Size(sizeof(T)));
    const bool weighted = problem.sample_weight != nullptr;
    // Blocks of large gradients are packed all the same: their tiles walk through the samples time and again.
    const bool once = plan.n_blocks == 1 || plan.chunk > 0;
    const bool in_place = once && plan.visible.padded() == plan.visible.n && plain_rows<T>(problem.X, 0).ld > 0;
    Arena count;
    Scratch<T>(count, plan, n, weighted, results.grad != nullptr, in_place);
    Arena arena(workspace.reserve(count.used()));
    const Scratch<T> scratch(arena, plan, n, weighted, results.grad != nullptr, in_place);
    if (weighted) scale_weights(problem.sample_weight, problem.X, scratch.row_weight);

    Evaluation<T> evaluation(problem, results, plan, scratch, n);
    parallel(n, [&](Team team) { evaluation.run(team); });
    if (problem.running != nullptr) problem.running->started = true;
    return evaluation.cost();
}

template Cost evaluate(const Problem<float>&, const Results<float>&, int, Workspace&);
template Cost evaluate(const Problem<double>&, const Results<double>&, int, Workspace&);

}  // namespace sae_fast
