#include "sae_fast/train.hpp"

#include "epoch.hpp"

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
EpochSummary Trainer<T>::run_epoch(const Samples& X, const double* sample_weight) {
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

    const auto step = [&](const Size* rows, Size n) {
        problem.X.rows = rows;
        problem.X.n_samples = n;
        const Cost cost = evaluate(problem, results, options_.n_threads, workspace_);
        if (!interrupted()) optimizer_.step(params_, const_grad, options_.n_threads);
        return MinibatchSummary{cost, mean_of_units(rho_hat_)};
    };
    return run_minibatches(rows_, X.n_samples, options_.shuffle, random_, options_.batch_size, sample_weight, step);
}

template <class T>
void Trainer<T>::change(const TrainOptions& options) {
    optimizer_.set_rule(options.rule);
    options_.rule = options.rule;
    options_.penalty = options.penalty;
    options_.batch_size = options.batch_size;
    options_.n_threads = options.n_threads;
}

template <class T>
void Trainer<T>::checkpoint() {
    kept_optimizer_ = optimizer_;
    kept_random_ = random_;
}

template <class T>
void Trainer<T>::rollback() {
    if (!kept_optimizer_) return;
    optimizer_ = *kept_optimizer_;
    random_ = *kept_random_;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace sae_fast
