// The sparsity penalty of one layer's hidden units, with what it needs from samples and parameters (see sparsity.hpp).
#pragma once

#include "sae_fast/network.hpp"
#include "samples.hpp"
#include "sparsity.hpp"

namespace sae_fast {

/// Numbers that are added one after another.
struct Terms {
    const double* data;
    Size n;

    double sum() const noexcept {
        double sum = 0;
        for (Size i = 0; i < n; ++i) sum += data[i];
        return sum;
    }
};

/// J of m samples from the sums of squared errors, those of squared weights and the divergences of units; the last two
/// are read only where they count.
inline Cost cost_of(const Penalty& penalty, double m, Terms errors, Terms weights, Terms divergences) noexcept {
    Cost cost;
    cost.reconstruction = errors.sum() / (2 * m);
    if (penalty.weight_decay > 0) cost.weight_decay = penalty.weight_decay / 2 * weights.sum();
    if (penalty.beta > 0) cost.sparsity = penalty.beta * divergences.sum();
    return cost;
}

/// Where the results of each unit go, (n_hidden,): rho_hat if it is not null, divergence and slope if there is a
/// penalty.
template <class T>
struct UnitResults {
    double* rho_hat;
    Mean* mean;
    double* divergence;
    T* slope;  // beta times the derivative of KL; 0 for a tiny mean, whose term is that of tiny_delta
};

template <class T>
class UnitPenalty {
public:
    /// row_weight: (n_samples,) with mean 1, or null.
    UnitPenalty(const Problem<T>& problem, const T* row_weight, const UnitResults<T>& units) noexcept
        : problem_(problem), row_weight_(row_weight), units_(units) {}

    bool exists() const noexcept { return problem_.penalty.beta > 0; }

    /// The results of unit j, whose means over the batch are s and c; moves its running mean, if there is one. row:
    /// (n_visible,).
    void settle(Size j, double s, double c, T* row) const noexcept {
        const Mean mean = mean_of_unit(j, s, c, row);
        units_.mean[j] = mean;
        if (units_.rho_hat != nullptr) units_.rho_hat[j] = mean.s;
        if (!exists()) return;
        units_.divergence[j] = divergence(problem_.penalty.rho, mean);
        units_.slope[j] = slope_of(mean);
    }

    /// Is its mean beyond the type's range?
    bool is_tiny_unit(Size j) const noexcept { return is_tiny<T>(units_.mean[j]); }

    /// The penalty's term of delta2 for sample i and a unit j whose mean is beyond the type's range.
    T tiny_delta(Size i, Size j, T* row) const noexcept {
        const double weight = row_weight_ == nullptr ? 1 : static_cast<double>(row_weight_[i]);
        return static_cast<T>(
            problem_.penalty.beta * share_of_batch() * weight *
            penalty_delta(pre_activation(i, j, row), problem_.hidden, problem_.penalty.rho, units_.mean[j]));
    }

private:
    const Problem<T>& problem_;
    const T* row_weight_;
    const UnitResults<T> units_;

    Mean mean_of_unit(Size j, double s, double c, T* row) const noexcept {
        Mean mean = mean_of(s, c);
        if (exists() && is_tiny<T>(mean)) mean = logarithmic_mean(j, row);
        if (problem_.running == nullptr) return mean;
        double* state = problem_.running->state + 4 * j;
        if (problem_.running->started)
            mean = blend({state[0], state[1], state[2], state[3]}, mean, problem_.running->momentum);
        state[0] = mean.s;
        state[1] = mean.c;
        state[2] = mean.log_s;
        state[3] = mean.log_c;
        return mean;
    }

    T slope_of(const Mean& mean) const noexcept {
        if (is_tiny<T>(mean)) return 0;
        const double factor = problem_.hidden == Unit::tanh ? 0.5 : 1;
        return static_cast<T>(problem_.penalty.beta * factor * share_of_batch() *
                              divergence_slope(problem_.penalty.rho, mean));
    }

    // The share of the current batch in the mean activation, by which its slope counts.
    double share_of_batch() const noexcept {
        return problem_.running != nullptr && problem_.running->started ? 1 - problem_.running->momentum : 1;
    }

    double pre_activation(Size i, Size j, T* row) const noexcept {
        read_sample(problem_.X, i, row);
        const Size n = problem_.params.n_visible;
        double z = static_cast<double>(problem_.params.b1[j]);
        for (Size f = 0; f < n; ++f)
            z += static_cast<double>(problem_.params.W1[j * n + f]) * static_cast<double>(row[f]);
        return z;
    }

    Mean logarithmic_mean(Size j, T* row) const noexcept {
        const Size m = problem_.X.n_samples;
        LogMean s;
        LogMean c;
        for (Size i = 0; i < m; ++i) {
            const double z = pre_activation(i, j, row) * (problem_.hidden == Unit::tanh ? 2 : 1);
            const double weight = row_weight_ == nullptr ? 1 : static_cast<double>(row_weight_[i]);
            s.add(log_sigmoid(z), weight);
            c.add(log_sigmoid(-z), weight);
        }
        const double log_s = s.value(static_cast<double>(m));
        const double log_c = c.value(static_cast<double>(m));
        return {std::exp(log_s), std::exp(log_c), log_s, log_c};
    }
};

}  // namespace sae_fast
