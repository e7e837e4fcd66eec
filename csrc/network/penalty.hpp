// The terms of the cost besides the loss. Each penalty has its hook:
//   on weights             weight_decay: when they are packed or multiplied, and when a gradient is finished
//   on means over samples  beta: between the passes, by LayerPenalty, and in the deltas
//   on single activations  l1: where they are restored, and in the deltas, by kernels/activations.hpp
#pragma once

#include "sae_fast/network.hpp"
#include "samples.hpp"
#include "sparsity.hpp"

namespace sae_fast {

/// Smallest and largest of some numbers, NaN if there is one.
struct ActivationRange {
    double low = kInfinity, high = -kInfinity;

    void add(double x) noexcept { add(x, x); }
    void add(double least, double most) noexcept {
        low = least < low || std::isnan(least) ? least : low;
        high = most > high || std::isnan(most) ? most : high;
    }
    void store(double* to) const noexcept { to[0] = low, to[1] = high; }
};

/// Numbers that are added one after another.
struct Terms {
    const double* data;
    Size n;

    double add_to(double sum) const noexcept {
        for (Size i = 0; i < n; ++i) sum += data[i];
        return sum;
    }
};

/// What a layer adds to J: sums of squared weights, the divergences of its units, and sums of the penalties on their
/// activations; read only where they count.
struct LayerTerms {
    Terms squares, divergences, activations;
};

/// J of m samples from the sums of their losses and terms(l) of each layer. Neighbours of one weight decay share a sum.
template <class T, class Of>
Cost cost_of(const Network<const T>& network, double m, Terms losses, Of terms) noexcept {
    Cost cost;
    cost.reconstruction = losses.add_to(0) / (facts(network.loss).times * m);
    double squares = 0;
    for (Size l = 0; l < network.n_layers; ++l) {
        const Penalty& penalty = network.settings[l].penalty;
        const bool last = l + 1 == network.n_layers;
        if (penalty.weight_decay > 0) {
            squares = terms(l).squares.add_to(squares);
            if (last || network.settings[l + 1].penalty.weight_decay != penalty.weight_decay) {
                cost.weight_decay += penalty.weight_decay / 2 * squares;
                squares = 0;
            }
        }
        if (!last && penalty.beta > 0) cost.sparsity += penalty.beta * terms(l).divergences.add_to(0);
        if (!last && penalty.on_activations()) cost.sparsity += terms(l).activations.add_to(0) / m;
    }
    return cost;
}

/// z of unit j of layer l for sample i, in double. row: (n_features,); stored(f): the stored activation of unit f
/// below.
template <class T, class Stored>
double pre_activation(const Problem<T>& problem, Size l, Size i, Size j, T* row, Stored stored) noexcept {
    const Layer<const T>& layer = problem.network.layers[l];
    const T* w = layer.W + j * layer.n_in;
    double z = static_cast<double>(layer.b[j]);
    if (l == 0) {
        read_sample(problem.X, i, row);
        for (Size f = 0; f < layer.n_in; ++f) z += static_cast<double>(w[f]) * static_cast<double>(row[f]);
    } else {
        constexpr Size some = 64;  // whole vectors
        for (Size begin = 0; begin < layer.n_in; begin += some) {
            const Size n = std::min(some, layer.n_in - begin);
            double a[some] = {};
            for (Size f = 0; f < n; ++f) a[f] = static_cast<double>(stored(begin + f));
            kernels<double>().restore(problem.network.settings[l - 1].unit, a, a, 1, some / kernels<double>().lanes);
            for (Size f = 0; f < n; ++f) z += static_cast<double>(w[begin + f]) * a[f];
        }
    }
    return z;
}

/// The means of one hidden layer's units and the penalty on them: of each unit, rho_hat if that is wanted, and, in the
/// memory of the layer, (n_out,): mean, divergence, and slope, which is beta times the derivative of KL.
template <class T>
class LayerPenalty {
public:
    /// row_weight: (n_samples,) with mean 1, or null. A tiny mean has slope 0; its term is that of tiny_delta.
    template <class Memory>
    LayerPenalty(const Problem<T>& problem, const Results<T>& results, Size l, const Memory& layer,
                 const T* row_weight) noexcept
        : settings_(problem.network.settings[l]),
          wanted_(settings_.penalty.beta > 0 ? settings_.penalty.rho : 0.5),
          m_(problem.X.n_samples),
          running_(problem.running),
          row_weight_(row_weight),
          mean_(layer.mean),
          divergence_(layer.divergence),
          slope_(layer.slope),
          by_mean_(settings_.penalty.beta / (facts(settings_.unit).high - facts(settings_.unit).low) *
                   share_of_batch()),
          has_tails_(facts(settings_.unit).rate > 0) {
        Size first = 0;  // of its units among all that have a mean
        for (Size k = 0; k < l; ++k)
            if (has_mean(problem.network.settings[k].unit)) first += problem.network.layers[k].n_out;
        if (results.rho_hat != nullptr) rho_hat_ = results.rho_hat + first;
        if (running_ != nullptr) state_ = running_->state + 4 * first;
    }

    bool exists() const noexcept { return settings_.penalty.beta > 0; }

    /// The results of unit j, whose sums over the batch are s and c; moves its running mean, if there is one. z(i): its
    /// pre-activation for sample i.
    template <class Z>
    void settle(Size j, double s, double c, Z z) const noexcept {
        const Mean mean = mean_of(s / static_cast<double>(m_), c / static_cast<double>(m_));
        settle(j, needs_logarithms(mean) ? logarithmic_mean(z) : mean);
    }
    /// The same for units begin ... end - 1, with z(j, i), and logarithms of several at once.
    template <class Z>
    void settle(Size begin, Size end, const double* s, const double* c, Z z) const noexcept {
        constexpr Size some = 32;
        for (Size first = begin; first < end; first += some) {
            const Size n = std::min(some, end - first);
            double mean[2 * some], log[2 * some];
            for (Size i = 0; i < n; ++i) {
                mean[i] = log[i] = s[first + i] / static_cast<double>(m_);
                mean[n + i] = log[n + i] = c[first + i] / static_cast<double>(m_);
            }
            kernels<T>().logarithms(log, 2 * n);
            for (Size i = 0; i < n; ++i) {
                const Size j = first + i;
                const Mean own{mean[i], mean[n + i], log[i], log[n + i]};
                settle(j, needs_logarithms(own) ? logarithmic_mean([&](Size sample) { return z(j, sample); }) : own);
            }
        }
    }
    void settle(Size j, Mean mean) const noexcept {
        if (running_ != nullptr) mean = moved(j, mean);
        mean_[j] = mean;
        if (rho_hat_ != nullptr) rho_hat_[j] = mean.s;
        if (!exists()) return;
        divergence_[j] = divergence(wanted_, mean);
        slope_[j] = slope_of(mean);
    }

    /// Has a mean to be made of logarithms, which take z of every sample?
    bool needs_logarithms(const Mean& mean) const noexcept { return exists() && has_tails() && is_tiny<T>(mean); }

    /// Takes a sample into such a mean.
    void add_to(LogMeans& means, double z, T weight) const noexcept {
        means.add(facts(settings_.unit).rate * z, static_cast<double>(weight));
    }

    /// Is its mean beyond the type's range?
    bool is_tiny_unit(Size j) const noexcept { return has_tails() && is_tiny<T>(mean_[j]); }

    /// The penalty's term of delta for sample i and a unit j whose mean is beyond the type's range.
    T tiny_delta(Size i, Size j, double z) const noexcept {
        const double weight = row_weight_ == nullptr ? 1 : static_cast<double>(row_weight_[i]);
        if (weight == 0) return 0;  // such a sample is no part of the mean, and may be far beyond it
        const double rate = facts(settings_.unit).rate;
        return static_cast<T>(settings_.penalty.beta * share_of_batch() * weight *
                              (rate * penalty_delta(rate * z, settings_.penalty.rho, mean_[j])));
    }

private:
    const LayerSettings& settings_;
    const Wanted wanted_;
    Size m_;
    const RunningMean* running_;
    const T* row_weight_;
    double* rho_hat_ = nullptr;
    double* state_ = nullptr;
    Mean* mean_;
    double* divergence_;
    T* slope_;
    double by_mean_;  // what the derivative of KL counts for an activation
    bool has_tails_;

    Mean moved(Size j, Mean mean) const noexcept {
        double* state = state_ + 4 * j;
        if (running_->started) mean = blend({state[0], state[1], state[2], state[3]}, mean, running_->momentum);
        state[0] = mean.s;
        state[1] = mean.c;
        state[2] = mean.log_s;
        state[3] = mean.log_c;
        return mean;
    }

    // Does s approach 0 and 1 without reaching them? Then it may leave the type's range, and the mean is that of its
    // logarithms.
    bool has_tails() const noexcept { return has_tails_; }

    // A unit without tails that is at one end for all samples has no slope.
    T slope_of(const Mean& mean) const noexcept {
        if (has_tails() ? is_tiny<T>(mean) : !(mean.s > 0 && mean.c > 0)) return 0;
        return static_cast<T>(by_mean_ * divergence_slope(settings_.penalty.rho, mean));
    }

    // The share of the current batch in the mean activation, by which its slope counts.
    double share_of_batch() const noexcept {
        return running_ != nullptr && running_->started ? 1 - running_->momentum : 1;
    }

    template <class Z>
    Mean logarithmic_mean(Z z) const noexcept {
        LogMeans means;
        for (Size i = 0; i < m_; ++i) add_to(means, z(i), row_weight_ == nullptr ? T(1) : row_weight_[i]);
        return means.value(static_cast<double>(m_));
    }
};

}  // namespace sae_fast
