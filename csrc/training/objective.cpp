#include "sae_fast/objective.hpp"

#include <utility>

namespace sae_fast {

template <class T>
NetworkObjective<T>::NetworkObjective(const Problem<T>& problem, std::unique_ptr<SampleSource> source)
    : problem_(problem),
      layers_(problem.network.layers, problem.network.layers + problem.network.n_layers),
      settings_(problem.network.settings, problem.network.settings + problem.network.n_layers),
      source_(std::move(source)) {
    for (const Layer<const T>& layer : layers_) {
        n_params_ += (layer.n_in + 1) * layer.n_out;
        grad_.push_back({nullptr, nullptr, layer.n_in, layer.n_out});
    }
    problem_.network.layers = layers_.data();
    problem_.network.settings = settings_.data();
}

template <class T>
Cost NetworkObjective<T>::evaluate(const T* theta, T* gradient, double* rho_hat, double* unit_range, int n_threads) {
    view_layers(theta, layers_.data(), problem_.network.n_layers);
    view_layers(gradient, grad_.data(), problem_.network.n_layers);
    const Results<T> results{grad_.data(), nullptr, rho_hat, unit_range};
    if (source_ != nullptr) return sae_fast::evaluate(problem_, *source_, results, n_threads, workspace_);
    return sae_fast::evaluate(problem_, results, n_threads, workspace_);
}

template class NetworkObjective<float>;
template class NetworkObjective<double>;

}  // namespace sae_fast
