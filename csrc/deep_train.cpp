#include "sae_fast/deep_train.hpp"

#include "epoch.hpp"
#include "sae_fast/objective.hpp"

namespace sae_fast {

namespace {

template <class T>
Size n_params(const std::vector<DeepLayer<T>>& layers) noexcept {
    Size n = 0;
    for (const DeepLayer<T>& layer : layers) n += (layer.n_in + 1) * layer.n_out;
    return n;
}

}  // namespace

template <class T>
DeepTrainer<T>::DeepTrainer(const std::vector<DeepLayer<T>>& layers, const std::vector<Unit>& units,
                            const std::vector<Penalty>& penalties, const DeepTrainOptions& options)
    : units_(units),
      penalties_(penalties),
      options_(options),
      gradient_(static_cast<std::size_t>(n_params(layers))),
      grad_(layers),
      optimizer_(options.rule, n_params(layers)),
      random_(options.seed) {
    const Size n_layers = static_cast<Size>(layers.size());
    view_layers(gradient_.data(), grad_.data(), n_layers);
    for (const DeepLayer<T>& layer : layers) layers_.push_back({layer.W, layer.b, layer.n_in, layer.n_out});
    for (std::size_t l = 0; l < layers.size(); ++l)
        blocks_.push_back({layers[l].W, grad_[l].W, layers[l].n_in * layers[l].n_out});
    for (std::size_t l = 0; l < layers.size(); ++l) blocks_.push_back({layers[l].b, grad_[l].b, layers[l].n_out});
    rho_hat_.resize(static_cast<std::size_t>(n_mapped_units(layers.data(), units_.data(), n_layers)));
}

template <class T>
EpochSummary DeepTrainer<T>::run_epoch(const Samples& X, const Samples& target, const Size* labels,
                                       const double* sample_weight) {
    DeepProblem<T> problem;
    problem.layers = layers_.data();
    problem.units = units_.data();
    problem.penalties = penalties_.data();
    problem.n_layers = static_cast<Size>(layers_.size());
    problem.loss = options_.loss;
    problem.X = X;
    problem.target = target;
    problem.labels = labels;
    problem.sample_weight = sample_weight;
    const DeepResults<T> results{grad_.data(), rho_hat_.data()};

    const auto step = [&](const Size* rows, Size n) {
        problem.X.rows = problem.target.rows = rows;
        problem.X.n_samples = problem.target.n_samples = n;
        const Cost cost = deep_evaluate(problem, results, options_.n_threads, workspace_);
        if (!interrupted()) optimizer_.step(blocks_.data(), static_cast<Size>(blocks_.size()), options_.n_threads);
        return MinibatchSummary{cost, mean_of_units(rho_hat_)};
    };
    return run_minibatches(rows_, X.n_samples, options_.shuffle, random_, options_.batch_size, sample_weight, step);
}

template class DeepTrainer<float>;
template class DeepTrainer<double>;

}  // namespace sae_fast
