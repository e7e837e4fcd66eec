// Which latents a step's rows excite.
#include <cmath>
#include <functional>

#include "training_step.hpp"

namespace sae_fast {

namespace {

constexpr Size kGuessRows = 128;  // of the first minibatch of batchtopk

}  // namespace

template <class T>
typename SparseEncoder<T>::Parts TrainingStep<T>::layer() noexcept {
    const TrainerMemory<T>& m = memory_;
    typename SparseEncoder<T>::Parts parts{
        d_, h_, Selection::above, Normalization::none, m.packed, b_enc_, m.zeros, nullptr, m.zeros, m.zeros};
    if (top_) parts.selection = Selection::topk;
    if (!jump_ && !gated_) return parts;
    parts.selection = Selection::above_each;
    parts.threshold = m.threshold;
    if (gated_) parts.bias = m.zeros;
    for (Size j = 0; j < h_; ++j) {
        if (gated_) m.gain[j] = std::exp(r_mag_[j]);
        // Of jumprelu all that is in the kernel's window, and a little more.
        m.threshold[j] = gated_ ? -b_gate_[j] : theta_[j] * T(1 - 1e-6) - static_cast<T>(o_.bandwidth) * T(0.500001);
    }
    return parts;
}

// Entries that `accept` into lists, which grow to what they have to hold.
template <class T>
template <class Accept>
BadRow TrainingStep<T>::find(Lists& lists, const typename SparseEncoder<T>::Parts& parts, const Samples& X, Size k,
                             Size at_first, Accept accept) {
    const Size n = X.n_samples;
    for (lists.reserve(n, std::max(lists.capacity, at_first));;) {
        std::fill(lists.counts, lists.counts + n, Size(0));
        const auto emit = [&lists, &accept](int, Size row, const int* indices, const T* values, Size n_entries) {
            Size count = lists.counts[row];
            for (Size e = 0; e < n_entries; ++e) {
                if (!accept(indices[e], values[e])) continue;
                if (count < lists.capacity) {
                    lists.indices_of(row)[count] = indices[e];
                    lists.values_of(row)[count] = values[e];
                }
                ++count;
            }
            lists.counts[row] = count;
            return true;
        };
        const BadRow bad = Encoding<T, decltype(emit)>(parts, X, k, n_members_, memory_.encoding, emit).run();
        if (bad.row >= 0 || interrupted()) return bad;
        const Size longest = *std::max_element(lists.counts, lists.counts + n);
        if (longest <= lists.capacity) return bad;
        lists.reserve(n, std::min(longest + longest / 4, h_));
    }
}

template <class T>
BadRow TrainingStep<T>::encode() {
    const auto parts = layer();
    const Samples X = rows_as_samples(n_);
    const auto positive = [](int, T z) { return z > T(0); };
    switch (t_.rule_.architecture) {
        case Architecture::topk:
            return o_.multi_k > 0 ? encode_multi() : find(memory_.main, parts, X, o_.k, o_.k, positive);
        case Architecture::batchtopk:
            return encode_batch();
        case Architecture::jumprelu: {
            const auto half = static_cast<T>(o_.bandwidth / 2);
            return find(memory_.main, parts, X, 1, 64,
                        [this, half](int j, T z) { return code(j, z) > T(0) || std::fabs(z - theta_[j]) < half; });
        }
        default:
            return find(memory_.main, parts, X, 1, 64, [](int, T) { return true; });
    }
}

// Of k and multi_k, the fewer are some of the more.
template <class T>
BadRow TrainingStep<T>::encode_multi() {
    const bool more = o_.multi_k >= o_.k;
    Lists& longer = more ? memory_.multi : memory_.main;
    Lists& shorter = more ? memory_.main : memory_.multi;
    const Size k = more ? o_.multi_k : o_.k;
    const BadRow bad = find(longer, layer(), rows_as_samples(n_), k, k, [](int, T z) { return z > T(0); });
    if (bad.row >= 0 || interrupted()) return bad;
    // keep_largest wants a vector of room.
    shorter.reserve(n_, std::max(shorter.capacity, longer.capacity + k_.lanes));
    choose(longer, shorter, more ? o_.k : o_.multi_k);
    return bad;
}

template <class T>
void TrainingStep<T>::choose(const Lists& from, Lists& to, Size k) noexcept {
    each_row([&](int, Size i) {
        const Size n = from.counts[i];
        std::copy_n(from.indices_of(i), n, to.indices_of(i));
        std::copy_n(from.values_of(i), n, to.values_of(i));
        T least = 0;
        to.counts[i] = n > k ? k_.keep_largest(to.values_of(i), to.indices_of(i), n, k, &least) : n;
    });
}

// The k n largest: all above a guess, and if those are too few, all that are positive.
template <class T>
BadRow TrainingStep<T>::encode_batch() {
    Lists& lists = memory_.main;
    auto parts = layer();
    const Size wanted = o_.k * n_;
    smallest_ = kInfinity;
    if (memory_.guess <= 0 && n_ > 4 * kGuessRows) {
        const BadRow bad = guess(parts);
        if (bad.row >= 0 || interrupted()) return bad;
    }
    for (T least = static_cast<T>(memory_.guess * 0.9);; least = T(0)) {
        parts.threshold = &least;
        const BadRow bad = find(lists, parts, rows_as_samples(n_), 1, 2 * o_.k + 32, [](int, T) { return true; });
        if (bad.row >= 0 || interrupted()) return bad;
        const Size n_found = lists.n_entries();
        if (n_found < wanted && least > T(0)) continue;
        if (n_found > wanted) cut(lists, n_found, wanted);
        for (Size i = 0; i < n_; ++i)
            for (Size e = 0; e < lists.counts[i]; ++e)
                smallest_ = std::min(smallest_, static_cast<double>(lists.values_of(i)[e]));
        return bad;
    }
}

// Without a step before, from what some rows would keep.
template <class T>
BadRow TrainingStep<T>::guess(typename SparseEncoder<T>::Parts parts) {
    Lists& lists = memory_.aux;  // which is not in use yet
    const T least = 0;
    parts.threshold = &least;
    const BadRow bad = find(lists, parts, rows_as_samples(kGuessRows), 1, 64, [](int, T) { return true; });
    if (bad.row >= 0 || interrupted()) return bad;
    const Size n_found = lists.n_entries();
    const Size wanted = o_.k * kGuessRows;
    memory_.guess = n_found > wanted ? static_cast<double>(kth_largest(lists, n_found, wanted)) : 0;
    return bad;
}

template <class T>
T TrainingStep<T>::kth_largest(const Lists& lists, Size n_found, Size k) {
    std::vector<T>& all = memory_.candidates;
    if (all.size() < static_cast<std::size_t>(n_found)) all.resize(static_cast<std::size_t>(n_found + n_found / 4));
    auto end = all.begin();
    for (Size i = 0; i < lists.n_rows; ++i) end = std::copy_n(lists.values_of(i), lists.counts[i], end);
    std::nth_element(all.begin(), all.begin() + (k - 1), end, std::greater<T>());
    return all[static_cast<std::size_t>(k - 1)];
}

// All but the largest go; of equal ones the first in the first rows stay.
template <class T>
void TrainingStep<T>::cut(Lists& lists, Size n_found, Size wanted) {
    const T bound = kth_largest(lists, n_found, wanted);
    const auto first = memory_.candidates.begin();  // the largest, in any order
    Size equal = std::count(first, first + wanted, bound);
    for (Size i = 0; i < n_; ++i) {
        Size kept = 0;
        int* const indices = lists.indices_of(i);
        T* const values = lists.values_of(i);
        for (Size e = 0; e < lists.counts[i]; ++e) {
            if (values[e] < bound || (values[e] == bound && equal-- <= 0)) continue;
            indices[kept] = indices[e];
            values[kept++] = values[e];
        }
        lists.counts[i] = kept;
    }
}

// The dead latents as an encoder; of gated their z, whatever their gates.
template <class T>
typename SparseEncoder<T>::Parts TrainingStep<T>::dead_layer() {
    const std::vector<int>& dead = memory_.dead;
    const auto n_dead = static_cast<Size>(dead.size());
    const PanelSplit split(n_dead, k_.lanes);
    const Size widest = 3 * k_.lanes;
    T *W = nullptr, *packed = nullptr, *bias = nullptr;
    const auto lay_out = [&](Arena& arena) {
        W = arena.take<T>(n_members_ * widest * d_);
        packed = arena.take<T>(std::max(split.right(d_), split_.right(d_)));  // however many they are
        bias = arena.take<T>(h_ + widest);
    };
    Arena count;
    lay_out(count);
    Arena arena(memory_.dead_encoder.reserve(count.used()));
    lay_out(arena);
    std::fill(bias, bias + split.padded(), T(0));
    parallel(n_members_, [&](Team team) {
        team.each(split.count(), 1, [&](Range panels) {
            for (Size p = panels.begin; p < panels.end; ++p) {
                const Size first = split.offset(p);
                T* const some = W + team.id * widest * d_;
                for (Size l = 0; l < split.used(p); ++l) {
                    const Size j = dead[static_cast<std::size_t>(first + l)];
                    bias[first + l] = b_enc_[j];
                    k_.scale(W_enc_ + j * d_, gated_ ? memory_.gain[j] : T(1), d_, some + l * d_);
                }
                k_.pack_transposed(some - first * d_, d_, n_dead, d_, packed, p, p + 1);
            }
        });
    });
    const T* const zeros = memory_.zeros;
    return {d_, n_dead, Selection::topk, Normalization::none, packed, bias, zeros, nullptr, zeros, zeros};
}

template <class T>
BadRow TrainingStep<T>::encode_dead() {
    const Size k = std::min(o_.aux_k, static_cast<Size>(memory_.dead.size()));
    Lists& lists = memory_.aux;
    const BadRow bad = find(lists, dead_layer(), rows_as_samples(n_), k, o_.aux_k, [](int, T z) { return z > T(0); });
    if (bad.row >= 0 || interrupted()) return bad;
    each_row([&](int, Size i) {
        int* const indices = lists.indices_of(i);
        for (Size e = 0; e < lists.counts[i]; ++e) indices[e] = memory_.dead[static_cast<std::size_t>(indices[e])];
    });
    lists.sort(h_, gated_ ? 3 : 0);
    return bad;
}

template BadRow TrainingStep<float>::encode();
template BadRow TrainingStep<double>::encode();
template BadRow TrainingStep<float>::encode_dead();
template BadRow TrainingStep<double>::encode_dead();

}  // namespace sae_fast
