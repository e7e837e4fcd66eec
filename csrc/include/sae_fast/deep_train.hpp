// Minibatch training of a deep network: whole epochs without leaving the core.
#pragma once

#include <cstdint>
#include <vector>

#include "sae_fast/deep.hpp"
#include "sae_fast/train.hpp"

namespace sae_fast {

struct DeepTrainOptions {
    Rule rule;
    Loss loss = Loss::squared;
    Size batch_size = 256;
    bool shuffle = true;
    std::uint64_t seed = 0;
    int n_threads = 0;
};

template <class T>
class DeepTrainer {
public:
    /// One unit and one penalty a layer. What layers point to is updated in place by run_epoch() and must outlive the
    /// trainer. Throws std::bad_alloc.
    DeepTrainer(const std::vector<DeepLayer<T>>& layers, const std::vector<Unit>& units,
                const std::vector<Penalty>& penalties, const DeepTrainOptions& options);

    /// One epoch over X in minibatches gathered by index, as Trainer::run_epoch(); target, labels and sample_weight as
    /// in DeepProblem. Throws std::bad_alloc.
    EpochSummary run_epoch(const Samples& X, const Samples& target, const Size* labels, const double* sample_weight);

    Size n_steps() const noexcept { return optimizer_.n_steps(); }

private:
    std::vector<DeepLayer<const T>> layers_;
    std::vector<Unit> units_;
    std::vector<Penalty> penalties_;
    DeepTrainOptions options_;
    std::vector<T> gradient_;
    std::vector<DeepLayer<T>> grad_;
    std::vector<ParamBlock<T>> blocks_;
    Optimizer<T> optimizer_;
    SplitMix64 random_;
    Workspace workspace_;
    std::vector<Size> rows_;
    std::vector<double> rho_hat_;
};

}  // namespace sae_fast
