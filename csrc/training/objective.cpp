#include "sae_fast/objective.hpp"

namespace sae_fast {

template <class T>
NetworkObjective<T>::NetworkObjective(const Problem<T>& problem)
    : problem_(problem),
      layers_(problem.network.layers, problem.network.layers + problem.network.n_layers),
      settings_(problem.network.settings, problem.network.settings + problem.network.n_layers) {
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
    return sae_fast::evaluate(problem_, {grad_.data(), nullptr, rho_hat, unit_range}, n_threads, workspace_);
}

template class NetworkObjective<float>;
template class NetworkObjective<double>;

}  // namespace sae_fast
