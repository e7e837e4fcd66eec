// The sparsity penalty of one layer's hidden units, with what it needs from samples and parameters (see sparsity.hpp).
#pragma once

#include "sae_fast/network.hpp"
#include "samples.hpp"
#include "sparsity.hpp"

namespace sae_fast {

template <class T>
class UnitPenalty {
public:
    /// row_weight: (n_samples,) with mean 1, or null.
    UnitPenalty(const Problem<T>& problem, const T* row_weight) noexcept : problem_(problem), row_weight_(row_weight) {}

    bool exists() const noexcept { return problem_.penalty.beta > 0; }

    /// Of unit j, whose means over the batch are s and c; moves its running mean, if there is one. row: (n_visible,).
    Mean mean(Size j, double s, double c, T* row) const noexcept {
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

    /// beta times the derivative of KL; 0 for a tiny mean, whose term is that of tiny_delta.
    T slope(const Mean& mean) const noexcept {
        if (is_tiny<T>(mean)) return 0;
        const double factor = problem_.hidden == Unit::tanh ? 0.5 : 1;
        return static_cast<T>(problem_.penalty.beta * factor * share_of_batch() *
                              divergence_slope(problem_.penalty.rho, mean));
    }

    /// The penalty's term of delta2 for sample i and a unit j whose mean is beyond the type's range.
    T tiny_delta(Size i, Size j, const Mean& mean, T* row) const noexcept {
        const double weight = row_weight_ == nullptr ? 1 : static_cast<double>(row_weight_[i]);
        return static_cast<T>(problem_.penalty.beta * share_of_batch() * weight *
                              penalty_delta(pre_activation(i, j, row), problem_.hidden, problem_.penalty.rho, mean));
    }

private:
    const Problem<T>& problem_;
    const T* row_weight_;

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
