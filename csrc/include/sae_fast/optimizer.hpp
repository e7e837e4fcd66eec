// Weight updates, in place: one pass over parameters, gradient and state.
#pragma once

#include <vector>

#include "sae_fast/types.hpp"

namespace sae_fast {

enum class Solver : int { sgd = 0, adam = 1 };

/// sgd:   v = momentum v + g;  p -= learning_rate v           (nesterov: p -= learning_rate (g + momentum v))
/// adam:  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///        p -= learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)       t = 1, 2, ... (Kingma, Ba
///        2015)
struct Rule {
    Solver solver = Solver::adam;
    double learning_rate = 1e-3;
    double momentum = 0;
    bool nesterov = false;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double eps = 1e-8;
};

/// Weights and biases of some layers.
template <class T>
Size n_params(const Layer<T>* layers, Size n_layers) noexcept {
    Size n = 0;
    for (Size l = 0; l < n_layers; ++l) n += (layers[l].n_in + 1) * layers[l].n_out;
    return n;
}

template <class T>
class Optimizer {
public:
    /// Throws std::bad_alloc.
    Optimizer(const Rule& rule, Size n_params);

    /// Updates layers by grad, n_params elements in all, the same ones in each step. Same result for any number of
    /// threads; n_threads 0: the default.
    void step(const Layer<T>* layers, const Layer<const T>* grad, Size n_layers, int n_threads) noexcept;

    Size n_steps() const noexcept { return n_steps_; }
    /// Goes on by another rule of the same solver; moments and steps stay. Throws std::invalid_argument,
    /// std::bad_alloc.
    void set_rule(const Rule& rule);

    /// What a copy needs to go on from here: n_params elements each, or none where the rule has no such moment.
    const std::vector<T>& first() const noexcept { return first_; }
    const std::vector<T>& second() const noexcept { return second_; }
    /// Takes over the state of another optimiser of the same rule. Throws std::invalid_argument for other sizes.
    void restore(Size n_steps, std::vector<T> first, std::vector<T> second);

private:
    Rule rule_;
    Size n_params_;
    Size n_steps_ = 0;
    std::vector<T> first_, second_;  // momentum or first moments; second moments
};

}  // namespace sae_fast
