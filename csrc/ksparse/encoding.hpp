// One call that encodes: rows go through the layer strip by strip, and what each panel's product holds that may be part
// of a code goes to short lists, one for each row.
#pragma once

#include <algorithm>
#include <atomic>
#include <limits>

#include "kernels/kernel_table.hpp"
#include "machine/machine.hpp"
#include "machine/team.hpp"
#include "network/samples.hpp"
#include "normalise.hpp"
#include "sae_fast/ksparse.hpp"

namespace sae_fast {

/// The list of a row where any number may be chosen: it is handed on in pieces of about this length.
constexpr Size kPiece = 512;
/// Rows that go through the layer together, its panels shared by the team.
constexpr Size kFewRows = 16;

/// The smallest row that somebody has called bad, and why: 2 * row + (is it z?).
class Worst {
public:
    void note(Size row, bool given) noexcept {
        const Size word = 2 * row + (given ? 0 : 1);
        Size known = word_.load(std::memory_order_relaxed);
        while (word < known && !word_.compare_exchange_weak(known, word, std::memory_order_relaxed)) {
        }
    }
    BadRow found() const noexcept {
        const Size word = word_.load(std::memory_order_relaxed);
        return word == none ? BadRow() : BadRow{word / 2, word % 2 == 0};
    }

private:
    static constexpr Size none = std::numeric_limits<Size>::max();
    std::atomic<Size> word_{none};
};

/// Memory of a call.
template <class T>
struct EncodingScratch {
    T* rows;   // (n_strips, strip, ld), where samples are not read as they lie
    T* read;   // (n_members, n_features)
    T* y;      // (n_members, kStrip, 3 vectors), and two vectors of room
    T* dense;  // (kFewRows, padded), of a few rows
    Chosen<T> chosen;
    Size ld, y_size;

    EncodingScratch(Arena& arena, Size n_features, const PanelSplit& split, Size longest, bool copies, bool few,
                    int n_members) noexcept {
        const Size lanes = split.lanes;
        const Size n_rows = few ? kFewRows : kStrip * n_members;
        const Size vectors = (n_features + lanes - 1) / lanes;
        ld = lanes * (vectors + 1 - vectors % 2);  // odd: at powers of two, rows meet in few sets of the cache
        y_size = 3 * lanes * kStrip + 2 * lanes;
        rows = arena.take<T>(copies ? n_rows * ld : 0);
        read = arena.take<T>(copies ? n_members * n_features : 0);
        y = arena.take<T>(y_size * n_members);
        dense = arena.take<T>(few ? kFewRows * split.padded() : 0);
        chosen.limit = longest;
        chosen.ld = longest + 4 * lanes;
        chosen.values = arena.take<T>(n_rows * chosen.ld);
        chosen.indices = arena.take<int>(n_rows * chosen.ld);
        chosen.counts = arena.take<Size>(n_rows);
        chosen.least = arena.take<T>(n_rows);
        chosen.nan = arena.take<unsigned char>(n_rows);
    }

    /// The lists from number `first` on.
    Chosen<T> lists(Size first) const noexcept {
        return {chosen.values + first * ld_of(),
                chosen.indices + first * ld_of(),
                chosen.ld,
                chosen.limit,
                chosen.counts + first,
                chosen.least + first,
                chosen.nan + first};
    }

private:
    Size ld_of() const noexcept { return chosen.ld; }
};

/// emit(member, row, indices, values, n) gets entries of a row, in the order of latents, and may write to them; false
/// where memory is short. Of topk, all k at once.
template <class T, class Emit>
class Encoding {
public:
    Encoding(const typename SparseEncoder<T>::Parts& layer, const Samples& X, Size k, int n_members,
             Workspace& workspace, Emit emit)
        : layer_(layer),
          X_(X),
          k_(k),
          n_members_(n_members),
          split_(layer.n_latents, kernels<T>().lanes),
          selector_{layer.selection, layer.bias, layer.threshold, layer.scale},
          top_(layer.selection == Selection::topk),
          few_(X.n_samples <= kFewRows),
          copies_(layer.subtract != nullptr || layer.normalization != Normalization::none ||
                  plain_rows<T>(X, 0).ld == 0),
          emit_(emit),
          scratch_(laid_out(workspace)) {}

    /// Throws std::bad_alloc.
    BadRow run() {
        parallel(n_members_, [this](Team team) { few_ ? few_rows(team) : strips(team); });
        if (short_of_memory_) throw std::bad_alloc();
        return worst_.found();
    }

private:
    const typename SparseEncoder<T>::Parts& layer_;
    const Samples& X_;
    Size k_;
    int n_members_;
    PanelSplit split_;
    Selector<T> selector_;
    bool top_, few_, copies_;
    Emit emit_;
    EncodingScratch<T> scratch_;
    Worst worst_;
    std::atomic<bool> short_of_memory_{false};

    EncodingScratch<T> laid_out(Workspace& workspace) const {
        // Twice as many as are kept: the longer, the more candidates, the shorter, the more often they are sorted out.
        const Size longest = top_ ? k_ + std::max(k_, Size(64)) : kPiece;
        Arena count;
        EncodingScratch<T>(count, layer_.n_features, split_, longest, copies_, few_, n_members_);
        Arena arena(workspace.reserve(count.used()));
        return EncodingScratch<T>(arena, layer_.n_features, split_, longest, copies_, few_, n_members_);
    }

    const T* W_of(Size p) const noexcept { return layer_.W + split_.offset(p) * layer_.n_features; }
    Panels all_inputs() const noexcept { return {0, PanelSplit(layer_.n_features, split_.lanes).count()}; }

    // Samples begin ... begin + n_rows - 1, checked, as the left operand of a product; copied to rows, if at all.
    Left<T> read(Team team, Size begin, Size n_rows, T* rows) noexcept {
        const Size n = layer_.n_features;
        for (Size r = 0; r < n_rows; ++r) {
            T* const row = rows + r * scratch_.ld;
            const T* from = nullptr;
            if (copies_) {
                T* const buffer = layer_.subtract == nullptr ? row : scratch_.read + team.id * n;
                read_sample(X_, begin + r, buffer);
                from = buffer;
            } else {
                from = plain_rows<T>(X_, begin + r).data;
            }
            if (layer_.normalization != Normalization::none) {
                T* const buffer = layer_.subtract == nullptr ? row : scratch_.read + team.id * n;
                if (!kernels<T>().shift(from, nullptr, n, nullptr)) worst_.note(begin + r, true);
                if (!normalise(layer_.normalization, n, buffer)) worst_.note(begin + r, false);
            }
            T* const to = layer_.subtract == nullptr ? nullptr : row;
            if (!kernels<T>().shift(from, layer_.subtract, n, to)) worst_.note(begin + r, true);
        }
        return copies_ ? Left<T>{rows, 0, 0, scratch_.ld} : plain_rows<T>(X_, begin);
    }

    void start(const Chosen<T>& lists, Size n_rows) const noexcept {
        std::fill(lists.counts, lists.counts + n_rows, Size(0));
        std::fill(lists.nan, lists.nan + n_rows, static_cast<unsigned char>(0));
        std::fill(lists.least, lists.least + n_rows, top_ ? -std::numeric_limits<T>::infinity() : layer_.threshold[0]);
    }

    // Lists longer than `limit`: the k largest are kept, or all are handed on.
    void make_room(Team team, const Chosen<T>& lists, Size row, Size n_rows, Size limit) noexcept {
        for (Size r = 0; r < n_rows; ++r) {
            const Size n = lists.counts[r];
            if (n <= limit) continue;
            T* const values = lists.values + r * lists.ld;
            int* const indices = lists.indices + r * lists.ld;
            if (top_)
                lists.counts[r] = kernels<T>().keep_largest(values, indices, n, k_, lists.least + r);
            else
                hand_on(team, lists, row, r);
        }
    }

    void hand_on(Team team, const Chosen<T>& lists, Size row, Size r) noexcept {
        const Size n = lists.counts[r];
        T* const values = lists.values + r * lists.ld;
        bool good = lists.nan[r] == 0 && (!top_ || n == k_);
        for (Size i = 0; i < n; ++i) good = good && values[i] - values[i] == T(0);  // finite
        if (!good)
            worst_.note(row + r, false);
        else if (!emit_(team.id, row + r, lists.indices + r * lists.ld, values, n))
            short_of_memory_ = true;
        lists.counts[r] = 0;
    }

    void finish(Team team, const Chosen<T>& lists, Size row, Size n_rows) noexcept {
        if (top_) make_room(team, lists, row, n_rows, k_);
        for (Size r = 0; r < n_rows; ++r) hand_on(team, lists, row, r);
    }

    void select(Team team, const T* y, Size p, const Chosen<T>& lists, Size row, Size n_rows) noexcept {
        if (kernels<T>().select(selector_, y, n_rows, split_.vectors(p), split_.used(p), split_.offset(p), lists))
            make_room(team, lists, row, n_rows, lists.limit);
    }

    void strips(Team team) noexcept {
        const Size first = team.id * kStrip;
        T* const y = scratch_.y + team.id * scratch_.y_size;
        const Chosen<T> lists = scratch_.lists(first);
        const bool far = split_.padded() * layer_.n_features * Size(sizeof(T)) > near_cache();
        team.each((X_.n_samples + 7) / 8, kStrip / 8, [&](Range eighths) {
            const Size row = eighths.begin * 8;
            const Size n_rows = std::min(eighths.end * 8, X_.n_samples) - row;
            Left<T> A = read(team, row, n_rows, scratch_.rows + first * scratch_.ld);
            start(lists, n_rows);
            for (Size p = 0; p < split_.count(); ++p) {
                if (team.stops(n_rows, layer_.n_features, split_.width(p))) return;
                if (far) {
                    const Size next = p + 1 < split_.count() ? p + 1 : 0;
                    A.coming = W_of(next);
                    A.n_coming = split_.width(next) * layer_.n_features;
                }
                kernels<T>().product(A, n_rows, layer_.n_features, all_inputs(), W_of(p), split_.shape(p), y);
                select(team, y, p, lists, row, n_rows);
            }
            finish(team, lists, row, n_rows);
        });
    }

    // Panels `begin` ... `end` - 1 of the products of a few rows. One row goes against several panels at once.
    void few_products(Team team, const Left<T>& A, Size begin, Size end) noexcept {
        const Kernels<T>& k = kernels<T>();
        const Size n_rows = X_.n_samples;
        T* const dense = scratch_.dense;
        if (n_rows == 1) {
            const Size at = split_.offset(begin);
            const Size n = std::min(split_.offset(end), split_.n) - at;
            return k.layer_row(Unit::linear, A.data, layer_.n_features, W_of(begin), n, layer_.zeros, dense + at);
        }
        T* const y = scratch_.y + team.id * scratch_.y_size;
        for (Size p = begin; p < end; ++p) {
            k.product(A, n_rows, layer_.n_features, all_inputs(), W_of(p), split_.shape(p), y);
            const Size width = split_.width(p);
            for (Size r = 0; r < n_rows; ++r)
                std::copy_n(y + r * width, width, dense + r * split_.padded() + split_.offset(p));
        }
    }

    void few_rows(Team team) noexcept {
        const Size n_rows = X_.n_samples;
        for (Size i = team.id; i < n_rows; i += team.n) read(team, i, 1, scratch_.rows + i * scratch_.ld);
        team.barrier();
        const Left<T> A = copies_ ? Left<T>{scratch_.rows, 0, 0, scratch_.ld} : plain_rows<T>(X_, 0);
        // Whole vectors of three are shared, three panels at a time; the narrower ones behind them are one piece.
        const Size n_pieces = (split_.n_wide + 2) / 3;
        team.each(n_pieces + 1, 1, [&](Range pieces) {
            for (Size i = pieces.begin; i < pieces.end; ++i) {
                const Size begin = i < n_pieces ? 3 * i : split_.n_wide;
                const Size end = i < n_pieces ? std::min(begin + 3, split_.n_wide) : split_.count();
                if (begin == end || team.stops(n_rows, layer_.n_features, split_.offset(end) - split_.offset(begin)))
                    continue;
                few_products(team, A, begin, end);
            }
        });
        team.barrier();
        for (Size i = team.id; i < n_rows; i += team.n) {
            const Chosen<T> lists = scratch_.lists(i);
            start(lists, 1);
            for (Size p = 0; p < split_.count(); ++p)
                select(team, scratch_.dense + i * split_.padded() + split_.offset(p), p, lists, i, 1);
            finish(team, lists, i, 1);
        }
    }
};

}  // namespace sae_fast
