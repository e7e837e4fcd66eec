#include "sae_fast/train.hpp"

#include <algorithm>
#include <numeric>

namespace sae_fast {

template <class T>
Trainer<T>::Trainer(const Params<T>& params, const TrainOptions& options)
    : params_(params),
      options_(options),
      optimizer_(options.rule, params.n_visible, params.n_hidden),
      random_(options.seed),
      gradient_(static_cast<std::size_t>(2 * params.n_visible * params.n_hidden + params.n_visible + params.n_hidden)),
      rho_hat_(static_cast<std::size_t>(params.n_hidden)) {
    if (options.rho_hat_momentum > 0) {
        running_state_.resize(4 * static_cast<std::size_t>(params.n_hidden));
        running_.momentum = options.rho_hat_momentum;
        running_.state = running_state_.data();
    }
}

template <class T>
double Trainer<T>::batch_weight(const double* sample_weight, const Size* rows, Size n) const noexcept {
    if (sample_weight == nullptr) return static_cast<double>(n);
    double sum = 0;
    for (Size i = 0; i < n; ++i) sum += sample_weight[rows[i]];
    return sum;
}

template <class T>
EpochSummary Trainer<T>::run_epoch(const Samples& X, const double* sample_weight, Interrupt interrupt) {
    rows_.resize(static_cast<std::size_t>(X.n_samples));
    if (options_.shuffle)
        shuffle(rows_.data(), X.n_samples, random_);
    else
        std::iota(rows_.begin(), rows_.end(), Size(0));

    const Size n_weights = params_.n_visible * params_.n_hidden;
    T* g = gradient_.data();
    Params<T> grad{
        g, g + 2 * n_weights, g + n_weights, g + 2 * n_weights + params_.n_hidden, params_.n_visible, params_.n_hidden};
    const Params<const T> const_grad{grad.W1, grad.b1, grad.W2, grad.b2, grad.n_visible, grad.n_hidden};
    Problem<T> problem;
    problem.params = {params_.W1, params_.b1, params_.W2, params_.b2, params_.n_visible, params_.n_hidden};
    problem.X = X;
    problem.sample_weight = sample_weight;
    problem.hidden = options_.hidden;
    problem.output = options_.output;
    problem.penalty = options_.penalty;
    problem.running = options_.rho_hat_momentum > 0 ? &running_ : nullptr;
    Results<T> results;
    results.grad = &grad;
    results.rho_hat = rho_hat_.data();

    EpochSummary summary;
    double total_weight = 0;
    for (Size begin = 0; begin < X.n_samples; begin += options_.batch_size) {
        if (interrupt.asks != nullptr && interrupt.asks(interrupt.context)) {
            summary.interrupted = true;
            break;
        }
        problem.X.rows = rows_.data() + begin;
        problem.X.n_samples = std::min(options_.batch_size, X.n_samples - begin);
        const double weight = batch_weight(sample_weight, problem.X.rows, problem.X.n_samples);
        if (!(weight > 0)) continue;
        const Cost cost = evaluate(problem, results, options_.n_threads, workspace_);
        optimizer_.step(params_, const_grad, options_.n_threads);
        summary.cost.reconstruction += weight * cost.reconstruction;
        summary.cost.weight_decay += weight * cost.weight_decay;
        summary.cost.sparsity += weight * cost.sparsity;
        const double mean =
            std::accumulate(rho_hat_.begin(), rho_hat_.end(), 0.0) / static_cast<double>(rho_hat_.size());
        summary.mean_activation += weight * mean;
        total_weight += weight;
    }
    if (total_weight > 0) {
        summary.cost.reconstruction /= total_weight;
        summary.cost.weight_decay /= total_weight;
        summary.cost.sparsity /= total_weight;
        summary.mean_activation /= total_weight;
    }
    return summary;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace sae_fast
