// The formulas of network.hpp as plain loops in long double: the naive twin of the core.
#pragma once

#include <cmath>
#include <iterator>
#include <vector>

#include "problem.hpp"

namespace sae_fast::test {

using Real = long double;

constexpr Size n_units = std::size(kUnits);

/// Unit n, from the beginning again after the last one.
inline Unit nth_unit(Size n) { return static_cast<Unit>(n % n_units); }

inline std::vector<Unit> all_units() {
    std::vector<Unit> units;
    for (Size n = 0; n < n_units; ++n) units.push_back(nth_unit(n));
    return units;
}

inline Real unit_naive(Unit unit, Real z) {
    if (unit == Unit::sigmoid) return 1 / (1 + std::exp(-z));
    if (unit == Unit::relu) return z > 0 ? z : 0;
    if (unit == Unit::satlin) return z > 0 ? (z < 1 ? z : 1) : 0;
    return unit == Unit::tanh ? std::tanh(z) : z;
}

inline Real slope_naive(Unit unit, Real a) {
    if (unit == Unit::sigmoid) return a * (1 - a);
    if (unit == Unit::relu) return a > 0 ? 1 : 0;
    if (unit == Unit::satlin) return a > 0 && a < 1 ? 1 : 0;
    return unit == Unit::tanh ? 1 - a * a : 1;
}

/// The losses by element that serve an output unit.
inline std::vector<Loss> losses_for(Unit output) {
    std::vector<Loss> losses;
    for (std::size_t i = 0; i < std::size(kLosses); ++i)
        if (const Loss loss = static_cast<Loss>(i); !kLosses[i].by_row && serves(loss, output)) losses.push_back(loss);
    return losses;
}

inline Real sign_naive(Real x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

/// What one output a, with target x, adds to the loss of its sample.
inline Real loss_naive(Loss loss, Real a, Real x) {
    const Real e = a - x;
    if (loss == Loss::cross_entropy) return -x * std::log(a) - (1 - x) * std::log(1 - a);
    if (loss == Loss::huber && std::fabs(e) > 1) return std::fabs(e) - 0.5L;
    return loss == Loss::absolute ? std::fabs(e) : e * e / 2;
}

/// Its derivative by z.
inline Real delta_naive(Loss loss, Unit output, Real a, Real x) {
    const Real e = a - x;
    if (loss == Loss::cross_entropy) return e;
    const bool cut = loss == Loss::absolute || (loss == Loss::huber && std::fabs(e) > 1);
    return (cut ? sign_naive(e) : e) * slope_naive(output, a);
}

/// out (m, n_out) = unit(X W^T + b), X (m, n_in).
template <class T, class A>
std::vector<Real> layer_forward_naive(const T* W, const T* b, const std::vector<A>& X, Size n_in, Size n_out,
                                      Unit unit) {
    const Size m = static_cast<Size>(X.size()) / n_in;
    std::vector<Real> out(static_cast<std::size_t>(m * n_out));
    for (Size i = 0; i < m; ++i)
        for (Size j = 0; j < n_out; ++j) {
            Real z = b[j];
            for (Size k = 0; k < n_in; ++k)
                z += static_cast<Real>(X[static_cast<std::size_t>(i * n_in + k)]) * W[j * n_in + k];
            out[static_cast<std::size_t>(i * n_out + j)] = unit_naive(unit, z);
        }
    return out;
}

struct Naive {
    Real reconstruction = 0, weight_decay = 0, sparsity = 0;
    std::vector<Real> W1, b1, W2, b2, delta3, delta2, rho_hat;
};

/// Cost, gradients, deltas and mean activations of an autoencoder p with a problem of contiguous data.
template <class T>
Naive evaluate_naive(const Arrays<T>& p, const std::vector<T>& X, const Problem<T>& problem) {
    const Unit hidden = problem.network.settings[0].unit, output = problem.network.settings[1].unit;
    const Penalty& penalty = problem.network.settings[0].penalty;
    const T* target = problem.target.data == nullptr ? X.data() : static_cast<const T*>(problem.target.data);
    const Size v = p.n_visible, h = p.n_hidden, m = static_cast<Size>(X.size()) / v;
    const auto at = [](Size i) { return static_cast<std::size_t>(i); };
    const std::vector<Real> a2 = layer_forward_naive(p.W1.data(), p.b1.data(), X, v, h, hidden);
    const std::vector<Real> a3 = layer_forward_naive(p.W2.data(), p.b2.data(), a2, h, v, output);
    std::vector<Real> weight(at(m), 1);
    Real total = 0;
    for (Size i = 0; i < m; ++i) total += problem.sample_weight == nullptr ? 1 : problem.sample_weight[i];
    for (Size i = 0; i < m && problem.sample_weight != nullptr; ++i)
        weight[at(i)] = problem.sample_weight[i] * static_cast<Real>(m) / total;
    Naive r;
    r.W1.resize(at(h * v)), r.b1.resize(at(h)), r.W2.resize(at(v * h)), r.b2.resize(at(v));
    r.delta3.resize(at(m * v)), r.delta2.resize(at(m * h)), r.rho_hat.resize(at(h));
    std::vector<Real> others(at(h));  // means of 1 - s
    for (Size i = 0; i < m; ++i)
        for (Size j = 0; j < h; ++j) {
            const Real a = a2[at(i * h + j)], share = weight[at(i)] / static_cast<Real>(m);
            const Real s = hidden == Unit::tanh ? (a + 1) / 2 : a;
            r.rho_hat[at(j)] += share * s;
            others[at(j)] += share * (1 - s);
            r.sparsity += share * penalty.l1 * std::fabs(a);
        }
    const Real rho = penalty.rho;
    for (Size j = 0; j < h && penalty.beta > 0; ++j)
        r.sparsity +=
            penalty.beta * (rho * std::log(rho / r.rho_hat[at(j)]) + (1 - rho) * std::log((1 - rho) / others[at(j)]));
    for (Size i = 0; i < m; ++i) {
        for (Size k = 0; k < v; ++k) {
            const Real a = a3[at(i * v + k)], x = target[i * v + k], w = weight[at(i)];
            r.reconstruction += w * loss_naive(problem.network.loss, a, x) / static_cast<Real>(m);
            r.delta3[at(i * v + k)] = w * delta_naive(problem.network.loss, output, a, x);
        }
        for (Size j = 0; j < h; ++j) {
            Real back = penalty.l1 * sign_naive(a2[at(i * h + j)]);
            if (penalty.beta > 0)
                back += penalty.beta * (-rho / r.rho_hat[at(j)] + (1 - rho) / others[at(j)]) *
                        (hidden == Unit::tanh ? 0.5L : 1.0L);
            back *= weight[at(i)];
            for (Size k = 0; k < v; ++k) back += r.delta3[at(i * v + k)] * p.W2[at(k * h + j)];
            const Real slope = slope_naive(hidden, a2[at(i * h + j)]);
            r.delta2[at(i * h + j)] = slope == 0 ? 0 : back * slope;  // where a unit is at one end, KL is infinite
        }
    }
    for (Size j = 0; j < h * v; ++j) {
        const Real w1 = p.W1[at(j)], w2 = p.W2[at(j)];
        r.weight_decay += static_cast<Real>(penalty.weight_decay) / 2 * (w1 * w1 + w2 * w2);
        r.W1[at(j)] = penalty.weight_decay * w1;
        r.W2[at(j)] = penalty.weight_decay * w2;
    }
    for (Size i = 0; i < m; ++i) {
        for (Size j = 0; j < h; ++j) {
            const Real d2 = r.delta2[at(i * h + j)] / static_cast<Real>(m);
            r.b1[at(j)] += d2;
            for (Size k = 0; k < v; ++k) r.W1[at(j * v + k)] += d2 * X[at(i * v + k)];
        }
        for (Size k = 0; k < v; ++k) {
            const Real d3 = r.delta3[at(i * v + k)] / static_cast<Real>(m);
            r.b2[at(k)] += d3;
            for (Size j = 0; j < h; ++j) r.W2[at(k * h + j)] += d3 * a2[at(i * h + j)];
        }
    }
    return r;
}

}  // namespace sae_fast::test
