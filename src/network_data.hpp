// What the bindings of networks share: settings, and data that has been checked against a network.
#pragma once

#include <algorithm>
#include <vector>

#include "array.hpp"
#include "numbers.hpp"
#include "object.hpp"
#include "sae_fast/network.hpp"
#include "source.hpp"

namespace sae_fast::bindings {

/// What a network does, made once from lists with one number a layer (l1 may be empty: 0), and the loss.
struct Settings : public PythonObject {
    std::vector<LayerSettings> layers;
    Loss loss;

    Settings(const std::vector<int>& units, const std::vector<double>& rho, const std::vector<double>& beta,
             const std::vector<double>& weight_decay, int loss_, const std::vector<double>& l1)
        : loss(loss_of(loss_)) {
        const std::size_t n = units.size();
        if (n < 1 || rho.size() != n || beta.size() != n || weight_decay.size() != n || (!l1.empty() && l1.size() != n))
            throw py::value_error("units, rho, beta, weight_decay and l1 must have one value a layer");
        for (std::size_t l = 0; l < n; ++l) {
            layers.push_back({unit_of(units[l]), {rho[l], beta[l], weight_decay[l], l1.empty() ? 0 : l1[l]}});
            if (l + 1 < n && beta[l] > 0 && !has_bounded_mean(layers[l].unit))
                throw py::value_error(std::string("beta must be 0 for ") + facts(layers[l].unit).name);
        }
        if (!serves(loss, layers.back().unit))
            throw py::value_error(std::string("the last unit must not be ") + facts(layers.back().unit).name +
                                  " with the loss " + facts(loss).name);
    }

    template <class T>
    Network<T> network(const std::vector<Layer<T>>& arrays) const {
        if (arrays.size() != layers.size()) throw py::value_error("units must have one value a layer");
        return {arrays.data(), layers.data(), static_cast<Size>(arrays.size()), loss};
    }
};

/// (J, reconstruction, weight_decay, sparsity).
inline py::tuple as_tuple(const Cost& cost) {
    return py::make_tuple(cost.total(), cost.reconstruction, cost.weight_decay, cost.sparsity);
}

/// Samples, what the output is compared with, and weights.
struct Data {
    Samples X, target;
    const Size* labels = nullptr;
    const double* sample_weight = nullptr;

    Data(const Array& X_, const py::object& target_, const py::object& labels_, const py::object& weight, Size n_in,
         Size n_out, Loss loss)
        : X(samples(X_, n_in)) {
        const Size m = X.n_samples;
        if (m < 1) throw py::value_error("X must have at least one sample");
        sample_weight = input_or_null<double>(weight, m, "sample_weight");
        if (facts(loss).by_row) {
            labels = input_or_null<Size>(labels_, m, "labels");
            if (labels == nullptr || !std::all_of(labels, labels + m, [=](Size y) { return y >= 0 && y < n_out; }))
                throw py::value_error("labels must be in 0 ... n_out - 1");
        } else if (!target_.is_none()) {
            target = samples(py::cast<Array>(target_), n_out);
            if (target.n_samples != m) throw py::value_error("target must have the samples of X");
        } else if (n_in != n_out) {
            throw py::value_error("target must be given where n_out is not n_features");
        }
    }

    template <class T>
    Problem<T> problem(const Network<const T>& network) const noexcept {
        return {network, X, target, labels, sample_weight, nullptr};
    }
};

/// An autoencoder of samples that come from a source.
template <class T>
Problem<T> source_problem(const Network<const T>& network, const PythonSource& source, const py::object& weight) {
    const Size n_out = network.layers[network.n_layers - 1].n_out;
    const Samples X = source.all();
    if (X.n_features != n_out || facts(network.loss).by_row) throw py::value_error("a source must be its own target");
    return {network, X, {}, nullptr, input_or_null<double>(weight, X.n_samples, "sample_weight"), nullptr};
}

}  // namespace sae_fast::bindings
