// The schedule of an evaluation whose rows are samples. The phases, each followed by a barrier:
//   pack         weights into panels, sums of their squares
//   pass 1       only where a layer has a sparsity penalty: stored activations of every strip and their sums
//   means        rho_hat, penalty and its slope, unit by unit (without penalty: at the end, for the report alone)
//   block 0 ...  pass 2: forward (where pass 1 has not been), output and deltas of the block's strips; barrier; the
//                block's share of the weight gradients
//   or chunks    pass 2 where gradients are small: the same for this member's chunks; barrier; the sum of their
//   gradients finish       bias gradients, cost
// A thread owns whole strips where there are enough of them, and takes each group of them through all layers while it
// is in cache. Otherwise threads share the panels of all strips, with a barrier between products that feed one another.
// Both are the same code: a member of a team of one meets no barrier.
#pragma once

#include "rows.hpp"

namespace sae_fast {

template <class T>
class Schedule {
public:
    Schedule(const Problem<T>& problem, const Results<T>& results, const Plan& plan, const Scratch<T>& scratch) noexcept
        : rows_(problem, results, plan, scratch),
          plan_(plan),
          scratch_(scratch),
          last_(plan.n_layers - 1),
          softmax_(facts(problem.network.loss).by_row),
          report_(results.rho_hat != nullptr || problem.running != nullptr),
          hand_out_(results.deltas != nullptr) {}

    void run(Team team) const noexcept {
        rows_.pack_weights(team);
        if (plan_.at_once)
            share_items(team, {0, plan_.n_strips}, [&](Size s) { rows_.pack_strip(worker(team, 0, 0), s); });
        team.barrier();
        if (plan_.penalised) {
            pass1(team);
            team.barrier();
            rows_.means(team);
            team.barrier();
        }
        if (plan_.chunk > 0) {
            chunks(team);
            team.barrier();
            if (plan_.gradient) sum_chunks(team);
        }
        for (Size b = 0; b < plan_.n_blocks && plan_.chunk == 0; ++b) {
            block(team, b);
            team.barrier();
            if (plan_.gradient) gradients(team, b);
        }
        if (!plan_.penalised && report_) rows_.means(team);
        if (plan_.ranges) rows_.unit_ranges(team);
        if (plan_.gradient) rows_.bias_gradients(team);
    }

    Cost cost() const noexcept { return rows_.cost(); }

protected:
    const Rows<T> rows_;
    const Plan& plan_;
    const Scratch<T>& scratch_;
    const Size last_;
    const bool softmax_, report_, hand_out_;

    Worker<T> worker(Team team, Size slot, Size first) const noexcept {
        return {team, rows_.row_of(team), slot, first, !plan_.in_place};
    }

    void pass1(Team team) const noexcept {
        if (plan_.at_once) {
            const Worker<T> together = worker(team, 0, 0);
            if (!plan_.by_strips()) return hidden_layers(together, {0, plan_.n_strips}, true);
            Worker<T> alone = together;
            alone.team = team.alone();
            return team.each(plan_.n_strips, plan_.group, [&](Range strips) { hidden_layers(alone, strips, true); });
        }
        const Size per_slot = plan_.groups_per_slot();
        Worker<T> w = worker(team, plan_.chunk > 0 ? team.id : team.id / per_slot, 0);
        w.team = team.alone();
        w.packs = !plan_.plain;
        w.mine = team.share(plan_.n_strips);
        w.jump = plan_.n_strips;
        team.each(plan_.n_strips, plan_.group, [&](Range strips) {
            w.first = plan_.chunk > 0 ? strips.begin : strips.begin - team.id % per_slot * plan_.group;
            for (Size i = strips.begin; i < strips.end; ++i) rows_.pack_samples_of(w, i);
            for (Size l = 0; l < last_; ++l) rows_.hidden(w, strips, l, true, l + 1 < last_);
        });
    }

    void hidden_layers(const Worker<T>& w, Range strips, bool first_pass) const noexcept {
        for (Size l = 0; l < last_; ++l) {
            rows_.hidden(w, strips, l, first_pass, true);
            w.team.barrier();
        }
    }

    // Pass 2 of some strips.
    void pass2(const Worker<T>& w, Range strips) const noexcept {
        const bool packs = !plan_.at_once;
        const auto pack = [&] { share_items(w.team, strips, [&](Size s) { rows_.pack_strip(w, s); }); };
        // Samples that products read where they lie are packed when the first one has brought them into cache.
        const bool later = !plan_.penalised && plan_.plain;
        if (packs && !later) {
            pack();
            if (plan_.penalised)
                for (Size l = 0; l < last_; ++l)
                    share_panels(w.team, scratch_.layers[l].out, strips,
                                 [&](Size p, Size s) { rows_.restore(w, l, s, p); });
            w.team.barrier();
        }
        if (!plan_.penalised) hidden_layers(w, strips, false);
        if (packs && later) {
            pack();
            w.team.barrier();
        }
        rows_.output(w, strips);
        if (softmax_) {
            w.team.barrier();
            share_items(w.team, strips, [&](Size s) { rows_.whole_rows(w, s); });
        }
        if (!plan_.deltas) return;
        for (Size l = last_ - 1; l >= 0; --l) {
            w.team.barrier();
            rows_.backward(w, strips, l);
        }
        if (!hand_out_) return;
        w.team.barrier();
        share_items(w.team, strips, [&](Size s) { rows_.hand_out(w, s); });
    }

    void block(Team team, Size b) const noexcept {
        const Range strips = plan_.strips_of_block(b);
        Worker<T> w = worker(team, b % 2, strips.begin);
        if (!plan_.by_strips()) return pass2(w, strips);
        const Range part = team.share(strips.end - strips.begin);
        w.team = team.alone();
        w.mine = {strips.begin + part.begin, strips.begin + part.end};
        w.jump = plan_.strips_per_block() - (part.end - part.begin);
        team.each(strips.end - strips.begin, plan_.group,
                  [&](Range r) { pass2(w, {strips.begin + r.begin, strips.begin + r.end}); });
    }

    // Chunk by chunk: deltas and gradients of the chunk, a block at a time, in memory of this member's own.
    void chunks(Team team) const noexcept {
        Worker<T> w = worker(team, team.id, 0);
        w.team = team.alone();
        w.mine = {0, plan_.n_strips};
        team.each(plan_.n_chunks, 1, [&](Range c) {
            const Range chunk = plan_.strips_of_chunk(c.begin);
            for (w.first = chunk.begin; w.first < chunk.end; w.first += plan_.strips_per_block()) {
                const Range strips{w.first, std::min(w.first + plan_.strips_per_block(), chunk.end)};
                for (Size s = strips.begin; s < strips.end; ++s) pass2(w, {s, s + 1});
                if (!plan_.gradient) continue;
                share_tiles(w.team, [&](Size l, Size p, Size q) {
                    rows_.gradient_tile(l, w.slot, strips, p, q, tile(l, c.begin, p, q), w.first > chunk.begin);
                });
            }
        });
    }

    void sum_chunks(Team team) const noexcept {
        const Kernels<T>& k = kernels<T>();
        share_tiles(team, [&](Size l, Size p, Size q) {
            const LayerScratch<T>& layer = scratch_.layers[l];
            T* sum = tile(l, 0, p, q);
            const Size n = layer.narrow().used(q) * layer.wide().width(p);
            for (Size c = 1; c < plan_.n_chunks; ++c) k.add_scaled(sum, T(1), tile(l, c, p, q), n, sum);
            rows_.finish_tile(l, p, q, sum);
        });
    }

    // The block's share of grad W_l = delta_l^T a_{l-1}, parallel over the panels of the result; the last block also
    // finishes what it owns.
    void gradients(Team team, Size b) const noexcept {
        share_groups(team, plan_.n_together, [&](Size l, Range wide, Size q) {
            // What one block finishes at once never leaves the cache.
            T* const mine = scratch_.tiles + team.id * plan_.n_together * tile_size(plan_.lanes);
            const auto at = [&](Size p) {
                return plan_.at_once ? mine + (p - wide.begin) * tile_size(plan_.lanes) : tile(l, 0, p, q);
            };
            for (Size p = wide.begin; p < wide.end; ++p)
                rows_.gradient_tile(l, b % 2, plan_.strips_of_block(b), p, q, at(p), b > 0);
            for (Size p = wide.begin; p < wide.end && b == plan_.n_blocks - 1; ++p) rows_.finish_tile(l, p, q, at(p));
        });
    }

    // A tile of the gradient of a chunk.
    T* tile(Size l, Size chunk, Size p, Size q) const noexcept {
        const LayerScratch<T>& layer = scratch_.layers[l];
        return layer.grad + chunk * layer.gradient() + layer.wide().offset(p) * layer.narrow().n +
               layer.narrow().offset(q) * layer.wide().width(p);
    }

    // Calls item(l, p, q) for the tiles of all gradients that this member takes.
    template <class Item>
    void share_tiles(Team team, Item item) const noexcept {
        share_groups(team, 1, [&](Size l, Range wide, Size q) { item(l, wide.begin, q); });
    }

    // Calls item(l, wide, q) for those of a narrow panel with `most` wide ones, or fewer; some narrow panels take these
    // in turn.
    template <class Item>
    void share_groups(Team team, Size most, Item item) const noexcept {
        const auto groups = [&](Size l) { return (scratch_.layers[l].wide().count() + most - 1) / most; };
        const auto tiles = [&](Size l) { return groups(l) * scratch_.layers[l].narrow().count(); };
        Size n_tiles = 0;
        for (Size l = 0; l <= last_; ++l) n_tiles += tiles(l);
        team.each(n_tiles, 1, [&](Range tile) {
            Size i = tile.begin;
            Size l = 0;
            for (; i >= tiles(l); ++l) i -= tiles(l);
            const PanelSplit& wide = scratch_.layers[l].wide();
            const PanelSplit& narrow = scratch_.layers[l].narrow();
            const Size q0 = i / (groups(l) * plan_.n_left) * plan_.n_left;
            const Size n_q = std::min(plan_.n_left, narrow.count() - q0);
            i -= q0 * groups(l);
            const Size p = i / n_q * most;
            const Size end = std::min(p + most, wide.count());
            if (!team.stops(plan_.block, wide.offset(end) - wide.offset(p), narrow.used(q0 + i % n_q)))
                item(l, Range{p, end}, q0 + i % n_q);
        });
    }
};

}  // namespace sae_fast
