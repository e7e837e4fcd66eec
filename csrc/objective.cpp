#include "sae_fast/objective.hpp"

namespace sae_fast {

namespace {

template <class T>
Params<T> view(T* theta, Size v, Size h) noexcept {
    return {theta, theta + 2 * v * h, theta + v * h, theta + 2 * v * h + h, v, h};
}

}  // namespace

template <class T>
Size NetworkObjective<T>::n_params() const noexcept {
    const Size v = problem_.params.n_visible;
    const Size h = problem_.params.n_hidden;
    return 2 * v * h + v + h;
}

template <class T>
Cost NetworkObjective<T>::evaluate(const T* theta, T* gradient, double* rho_hat, int n_threads) {
    const Size v = problem_.params.n_visible;
    const Size h = problem_.params.n_hidden;
    problem_.params = view(theta, v, h);
    Params<T> grad = view(gradient, v, h);
    Results<T> results;
    results.grad = &grad;
    results.rho_hat = rho_hat;
    return sae_fast::evaluate(problem_, results, n_threads, workspace_);
}

template <class T>
DeepObjective<T>::DeepObjective(const DeepProblem<T>& problem)
    : problem_(problem),
      layers_(problem.layers, problem.layers + problem.n_layers),
      units_(problem.units, problem.units + problem.n_layers),
      penalties_(problem.penalties, problem.penalties + problem.n_layers),
      n_means_(n_mapped_units(problem.layers, problem.units, problem.n_layers)) {
    for (const DeepLayer<const T>& layer : layers_) {
        n_params_ += (layer.n_in + 1) * layer.n_out;
        grad_.push_back({nullptr, nullptr, layer.n_in, layer.n_out});
    }
    problem_.layers = layers_.data();
    problem_.units = units_.data();
    problem_.penalties = penalties_.data();
}

template <class T>
Cost DeepObjective<T>::evaluate(const T* theta, T* gradient, double* rho_hat, int n_threads) {
    view_layers(theta, layers_.data(), problem_.n_layers);
    view_layers(gradient, grad_.data(), problem_.n_layers);
    return deep_evaluate(problem_, {grad_.data(), rho_hat}, n_threads, workspace_);
}

template class NetworkObjective<float>;
template class NetworkObjective<double>;
template class DeepObjective<float>;
template class DeepObjective<double>;

}  // namespace sae_fast
