// One epoch of minibatches, whatever network they train.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "sae_fast/interrupt.hpp"
#include "sae_fast/train.hpp"

namespace sae_fast {

/// Cost and mean activation of one minibatch, before its update.
struct MinibatchSummary {
    Cost cost;
    double mean_activation = 0;
};

inline double weight_of_batch(const double* sample_weight, const Size* rows, Size n) noexcept {
    if (sample_weight == nullptr) return static_cast<double>(n);
    double sum = 0;
    for (Size i = 0; i < n; ++i) sum += sample_weight[rows[i]];
    return sum;
}

/// Calls step(rows, n) -> MinibatchSummary for each minibatch of an epoch; its means are weighted by the weight of the
/// minibatches. rows: kept between epochs, so that it is taken from memory once. Throws std::bad_alloc.
template <class Step>
EpochSummary run_minibatches(std::vector<Size>& rows, Size n_samples, bool shuffled, SplitMix64& random,
                             Size batch_size, const double* sample_weight, Step step) {
    rows.resize(static_cast<std::size_t>(n_samples));
    if (shuffled)
        shuffle(rows.data(), n_samples, random);
    else
        std::iota(rows.begin(), rows.end(), Size(0));

    EpochSummary summary;
    double total_weight = 0;
    for (Size begin = 0; begin < n_samples; begin += batch_size) {
        if (interrupts()) break;
        const Size* batch = rows.data() + begin;
        const Size n = std::min(batch_size, n_samples - begin);
        const double weight = weight_of_batch(sample_weight, batch, n);
        if (!(weight > 0)) continue;
        const MinibatchSummary found = step(batch, n);
        if (interrupted()) break;
        summary.cost.reconstruction += weight * found.cost.reconstruction;
        summary.cost.weight_decay += weight * found.cost.weight_decay;
        summary.cost.sparsity += weight * found.cost.sparsity;
        summary.mean_activation += weight * found.mean_activation;
        total_weight += weight;
    }
    if (total_weight > 0) {
        summary.cost.reconstruction /= total_weight;
        summary.cost.weight_decay /= total_weight;
        summary.cost.sparsity /= total_weight;
        summary.mean_activation /= total_weight;
    }
    summary.interrupted = interrupted();
    return summary;
}

inline double mean_of_units(const std::vector<double>& rho_hat) noexcept {
    return std::accumulate(rho_hat.begin(), rho_hat.end(), 0.0) / static_cast<double>(rho_hat.size());
}

}  // namespace sae_fast
