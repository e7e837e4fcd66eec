// The sparsity penalty of each hidden unit, exact also where its mean activation has left the range of the type.
//
// With s in [0, 1] the mapped activation and c = 1 - s computed on its own, rho_hat and its complement are the means
// of both. KL(rho || rho_hat) and its derivative are formed from the difference d = rho_hat - rho, which keeps them
// precise near the optimum, and from logarithms where a mean is tiny: log rho_hat is then a log-mean-exp of
// log s = -log(1 + exp(-z)).
#pragma once

#include <cmath>

#include "sae_fast/types.hpp"

namespace sae_fast {

/// Means of s and of 1 - s over the samples, and their logarithms.
struct Mean {
    double s, c, log_s, log_c;
};

/// Below this mean single activations of type T may underflow, so ratios s / rho_hat are formed from logarithms.
template <class T>
constexpr double kTinyMean = sizeof(T) == 4 ? 1e-30 : 1e-290;

template <class T>
bool is_tiny(const Mean& mean) noexcept {
    return !(mean.s >= kTinyMean<T>) || !(mean.c >= kTinyMean<T>);
}

inline Mean mean_of(double s, double c) noexcept { return {s, c, std::log(s), std::log(c)}; }

/// momentum * before + (1 - momentum) * now, in both scales.
Mean blend(const Mean& before, const Mean& now, double momentum) noexcept;

/// rho_hat - rho without cancellation when both are near 1.
inline double excess(double rho, const Mean& mean) noexcept { return rho <= 0.5 ? mean.s - rho : (1 - rho) - mean.c; }

/// A wanted mean, and the logarithms of it and of its complement.
struct Wanted {
    double rho, log_rho, log_rest;

    explicit Wanted(double wanted) noexcept : rho(wanted), log_rho(std::log(wanted)), log_rest(std::log1p(-wanted)) {}
};

/// KL(rho || rho_hat).
double divergence(const Wanted& wanted, const Mean& mean) noexcept;

/// Its derivative by rho_hat: -rho / rho_hat + (1 - rho) / (1 - rho_hat) = (rho_hat - rho) / (rho_hat (1 - rho_hat)).
inline double divergence_slope(double rho, const Mean& mean) noexcept { return excess(rho, mean) / (mean.s * mean.c); }

/// log sigmoid(z).
inline double log_sigmoid(double z) noexcept { return z < 0 ? z - std::log1p(std::exp(z)) : -std::log1p(std::exp(-z)); }

/// One sample's share of the penalty's derivative by z, beta and the weight of the sample left out, where s is
/// sigmoid(z): s (1 - s) (-rho / rho_hat + (1 - rho) / (1 - rho_hat)), from logarithms.
double penalty_delta(double z, double rho, const Mean& mean) noexcept;

/// log of the weighted mean of exp(x), fed one by one.
class LogMean {
public:
    void add(double x, double weight) noexcept {
        if (weight == 0) return;
        if (x > top_) {
            sum_ = sum_ * std::exp(top_ - x) + weight;
            top_ = x;
        } else {
            sum_ += weight * std::exp(x - top_);
        }
    }
    double value(double total_weight) const noexcept { return top_ + std::log(sum_ / total_weight); }

private:
    double top_ = -1e300 * 1e300;
    double sum_ = 0;
};

/// Mean of a unit from the logarithms of its activations, fed one by one.
class LogMeans {
public:
    /// s = sigmoid(x).
    void add(double x, double weight) noexcept {
        s_.add(log_sigmoid(x), weight);
        c_.add(log_sigmoid(-x), weight);
    }
    Mean value(double total_weight) const noexcept {
        const double log_s = s_.value(total_weight);
        const double log_c = c_.value(total_weight);
        return {std::exp(log_s), std::exp(log_c), log_s, log_c};
    }

private:
    LogMean s_, c_;
};

}  // namespace sae_fast
