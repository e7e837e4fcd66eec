// Cost and gradient as functions of one vector, for an optimiser that need not know what it minimises.
#pragma once

#include <memory>
#include <vector>

#include "sae_fast/network.hpp"

namespace sae_fast {

template <class T>
class Objective {
public:
    virtual ~Objective() = default;
    virtual Size n_params() const noexcept = 0;
    virtual Size n_means() const noexcept = 0;
    virtual Size n_hidden_units() const noexcept = 0;
    /// theta, gradient: (n_params,); rho_hat: (n_means,) mean activations; unit_range: (n_hidden_units, 2) smallest and
    /// largest ones, or null. Throws std::bad_alloc.
    virtual Cost evaluate(const T* theta, T* gradient, double* rho_hat, double* unit_range, int n_threads) = 0;
};

/// theta: [W_1, ..., W_L, b_1, ..., b_L], row-major. The caller owns what X, target, labels and sample_weight of
/// `problem` point to; layers and settings are copied, and of the layers only the sizes count.
template <class T>
class NetworkObjective final : public Objective<T> {
public:
    /// Throws std::bad_alloc.
    explicit NetworkObjective(const Problem<T>& problem) : NetworkObjective(problem, nullptr) {}
    /// The same, to the bit, of samples that come from a source; X of `problem` says how many there are. evaluate()
    /// then throws what the source throws, too.
    NetworkObjective(const Problem<T>& problem, std::unique_ptr<SampleSource> source);
    Size n_params() const noexcept override { return n_params_; }
    Size n_means() const noexcept override { return sae_fast::n_means(problem_.network); }
    Size n_hidden_units() const noexcept override { return sae_fast::n_hidden_units(problem_.network); }
    Cost evaluate(const T* theta, T* gradient, double* rho_hat, double* unit_range, int n_threads) override;

private:
    Problem<T> problem_;
    std::vector<Layer<const T>> layers_;
    std::vector<Layer<T>> grad_;
    std::vector<LayerSettings> settings_;
    std::unique_ptr<SampleSource> source_;
    Size n_params_ = 0;
    Workspace workspace_;
};

/// Points W and b of the layers into theta.
template <class T, class U>
void view_layers(U* theta, Layer<T>* layers, Size n_layers) noexcept {
    for (Size l = 0; l < n_layers; theta += layers[l].n_in * layers[l].n_out, ++l) layers[l].W = theta;
    for (Size l = 0; l < n_layers; theta += layers[l].n_out, ++l) layers[l].b = theta;
}

}  // namespace sae_fast
