// Minibatch training: whole epochs without leaving the core.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sae_fast/network.hpp"
#include "sae_fast/optimizer.hpp"
#include "sae_fast/random.hpp"

namespace sae_fast {

struct TrainOptions {
    Rule rule;
    Size batch_size = 256;
    bool shuffle = true;
    std::uint64_t seed = 0;
    double rho_hat_momentum = 0;  // 0: the mean activation of each minibatch alone
    int n_threads = 0;
};

/// Mean over an epoch's samples of what each minibatch had before its update.
struct EpochSummary {
    Cost cost;
    double mean_activation = 0;  // of the units that have a mean; NaN if there are none
    bool interrupted = false;
};

/// All that run_epoch() goes on from, besides the parameters.
template <class T>
struct TrainerState {
    Size n_steps = 0;
    std::vector<T> first, second;  // of the optimiser
    std::uint64_t random = 0;
    std::vector<double> running;  // mean activations; empty before the first minibatch, and where there are none
};

template <class T>
class Trainer {
public:
    /// What the layers of the network point to is updated in place by run_epoch() and must outlive the trainer; layers
    /// and settings are copied. Throws std::bad_alloc.
    Trainer(const Network<T>& network, const TrainOptions& options);

    /// One epoch over X in minibatches gathered by index; the last one may be shorter. A minibatch whose sample
    /// weights are all 0 is passed over. target, labels and sample_weight as in Problem. An Interrupt is asked before
    /// each, and ends the epoch there; parameters are those of the last update. Throws std::bad_alloc.
    EpochSummary run_epoch(const Samples& X, const Samples& target, const Size* labels, const double* sample_weight);

    /// Goes on with the penalties of other settings (n_layers,), and with the rule, batch size and threads of options.
    /// Solver, units, shuffling and the kind of mean stay as they were made. Throws std::invalid_argument for another
    /// solver, std::bad_alloc.
    void change(const LayerSettings* settings, const TrainOptions& options);

    /// Keeps a copy of the optimiser's state and of the shuffling for rollback(). The parameters are the caller's.
    /// Throws std::bad_alloc.
    void checkpoint();
    /// Back to the last checkpoint, if there was one.
    void rollback();

    /// What another trainer of the same network and options takes over, to go on as this one would. Both throw
    /// std::bad_alloc, restore() std::invalid_argument for a state of other sizes.
    TrainerState<T> state() const;
    void restore(TrainerState<T> state);

    Size n_steps() const noexcept { return optimizer_.n_steps(); }

private:
    Loss loss_;
    TrainOptions options_;
    std::vector<LayerSettings> settings_;
    std::vector<Layer<T>> layers_, grad_;
    std::vector<Layer<const T>> const_layers_, const_grad_;
    std::vector<T> gradient_;
    Optimizer<T> optimizer_;
    SplitMix64 random_;
    std::optional<Optimizer<T>> kept_optimizer_;
    std::optional<SplitMix64> kept_random_;
    Workspace workspace_;
    std::vector<Size> rows_;
    std::vector<double> rho_hat_, running_state_;
    RunningMean running_;
};

}  // namespace sae_fast
