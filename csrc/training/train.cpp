#include "sae_fast/train.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "sae_fast/interrupt.hpp"
#include "sae_fast/objective.hpp"

namespace sae_fast {

namespace {

double weight_of_batch(const double* sample_weight, const Size* rows, Size n) noexcept {
    if (sample_weight == nullptr) return static_cast<double>(n);
    double sum = 0;
    for (Size i = 0; i < n; ++i) sum += sample_weight[rows[i]];
    return sum;
}

}  // namespace

template <class T>
Trainer<T>::Trainer(const Network<T>& network, const TrainOptions& options)
    : loss_(network.loss),
      options_(options),
      settings_(network.settings, network.settings + network.n_layers),
      layers_(network.layers, network.layers + network.n_layers),
      grad_(layers_),
      gradient_(static_cast<std::size_t>(n_params(network.layers, network.n_layers))),
      optimizer_(options.rule, static_cast<Size>(gradient_.size())),
      random_(options.seed),
      rho_hat_(static_cast<std::size_t>(n_means(network))) {
    view_layers(gradient_.data(), grad_.data(), network.n_layers);
    for (const Layer<T>& layer : layers_) const_layers_.push_back({layer.W, layer.b, layer.n_in, layer.n_out});
    for (const Layer<T>& layer : grad_) const_grad_.push_back({layer.W, layer.b, layer.n_in, layer.n_out});
    if (options.rho_hat_momentum > 0) {
        running_state_.resize(4 * rho_hat_.size());
        running_.momentum = options.rho_hat_momentum;
        running_.state = running_state_.data();
    }
}

template <class T>
EpochSummary Trainer<T>::run_epoch(const Samples& X, const Samples& target, const Size* labels,
                                   const double* sample_weight) {
    const Size n_layers = static_cast<Size>(layers_.size());
    Problem<T> problem;
    problem.network = {const_layers_.data(), settings_.data(), n_layers, loss_};
    problem.X = X;
    problem.target = target;
    problem.labels = labels;
    problem.sample_weight = sample_weight;
    problem.running = running_.state != nullptr ? &running_ : nullptr;
    rows_.resize(static_cast<std::size_t>(X.n_samples));
    if (options_.shuffle)
        shuffle(rows_.data(), X.n_samples, random_);
    else
        std::iota(rows_.begin(), rows_.end(), Size(0));

    EpochSummary summary;
    double total_weight = 0;
    for (Size begin = 0; begin < X.n_samples; begin += options_.batch_size) {
        if (interrupts()) break;
        const Size* batch = rows_.data() + begin;
        const Size n = std::min(options_.batch_size, X.n_samples - begin);
        const double weight = weight_of_batch(sample_weight, batch, n);
        if (!(weight > 0)) continue;
        problem.X.rows = problem.target.rows = batch;
        problem.X.n_samples = problem.target.n_samples = n;
        const Cost cost = evaluate(problem, {grad_.data(), nullptr, rho_hat_.data()}, options_.n_threads, workspace_);
        if (interrupted()) break;
        optimizer_.step(layers_.data(), const_grad_.data(), n_layers, options_.n_threads);
        summary.cost.reconstruction += weight * cost.reconstruction;
        summary.cost.weight_decay += weight * cost.weight_decay;
        summary.cost.sparsity += weight * cost.sparsity;
        summary.mean_activation +=
            weight * (std::accumulate(rho_hat_.begin(), rho_hat_.end(), 0.0) / static_cast<double>(rho_hat_.size()));
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

template <class T>
void Trainer<T>::change(const LayerSettings* settings, const TrainOptions& options) {
    optimizer_.set_rule(options.rule);
    options_.rule = options.rule;
    options_.batch_size = options.batch_size;
    options_.n_threads = options.n_threads;
    for (std::size_t l = 0; l < settings_.size(); ++l) settings_[l].penalty = settings[l].penalty;
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

template <class T>
TrainerState<T> Trainer<T>::state() const {
    return {optimizer_.n_steps(), optimizer_.first(), optimizer_.second(), random_.state(),
            running_.started ? running_state_ : std::vector<double>()};
}

template <class T>
void Trainer<T>::restore(TrainerState<T> state) {
    if (!state.running.empty() && state.running.size() != running_state_.size())
        throw std::invalid_argument("the running means must be those of a trainer of the same network");
    optimizer_.restore(state.n_steps, std::move(state.first), std::move(state.second));
    random_ = SplitMix64(state.random);
    running_.started = !state.running.empty();
    std::copy(state.running.begin(), state.running.end(), running_state_.begin());
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace sae_fast
