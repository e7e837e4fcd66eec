// A problem with its arrays, for the tests of everything above one layer.
#pragma once

#include <array>
#include <vector>

#include "check.hpp"
#include "sae_fast/network.hpp"

namespace sae_fast::test {

template <class T>
struct Arrays {
    Arrays(Size v, Size h, unsigned seed = 0, double scale = 0.5)
        : n_visible(v),
          n_hidden(h),
          W1(numbers<T>(h * v, seed + 1, scale)),
          b1(numbers<T>(h, seed + 2)),
          W2(numbers<T>(v * h, seed + 3, scale)),
          b2(numbers<T>(v, seed + 4)) {}

    std::array<Layer<T>, 2> view() {
        return {{{W1.data(), b1.data(), n_visible, n_hidden}, {W2.data(), b2.data(), n_hidden, n_visible}}};
    }
    std::array<Layer<const T>, 2> view() const {
        return {{{W1.data(), b1.data(), n_visible, n_hidden}, {W2.data(), b2.data(), n_hidden, n_visible}}};
    }
    bool operator==(const Arrays& o) const { return W1 == o.W1 && b1 == o.b1 && W2 == o.W2 && b2 == o.b2; }

    Size n_visible, n_hidden;
    std::vector<T> W1, b1, W2, b2;
};

/// Data in (0.1, 0.9).
template <class T>
std::vector<T> data(Size m, Size v, unsigned seed = 0) {
    std::vector<T> X = numbers<T>(m * v, seed + 77);
    for (T& x : X) x = static_cast<T>(0.5 + 0.4 * static_cast<double>(x));
    return X;
}

template <class T>
Samples samples(const std::vector<T>& X, Size v) {
    const Size size = static_cast<Size>(sizeof(T));
    return {X.data(), size == 4 ? DType::float32 : DType::float64, static_cast<Size>(X.size()) / v, v, v * size, size,
            nullptr};
}

/// An autoencoder with its data, which is its own target unless there is another one; what problem() gives points into
/// it.
template <class T>
struct Autoencoder {
    std::array<Layer<const T>, 2> layers;
    std::array<LayerSettings, 2> settings;
    Samples X, target;
    Loss loss;
    const double* sample_weight = nullptr;

    Autoencoder(const Arrays<T>& p, const std::vector<T>& X_, Unit hidden, Unit output, Penalty penalty,
                Loss loss_ = Loss::squared, const std::vector<T>* target_ = nullptr)
        : layers(p.view()),
          settings{{{hidden, penalty}, {output, penalty}}},
          X(samples(X_, p.n_visible)),
          target(target_ == nullptr ? Samples{} : samples(*target_, p.n_visible)),
          loss(loss_) {}

    Problem<T> problem() const {
        Problem<T> made;
        made.network = {layers.data(), settings.data(), 2, loss};
        made.X = X;
        made.target = target;
        made.sample_weight = sample_weight;
        return made;
    }
};

}  // namespace sae_fast::test
