// Networks of any depth: naive twin, finite differences, saturation, threads, memory, training.
#include <algorithm>

#include "naive.hpp"
#include "problem.hpp"
#include "sae_fast/lbfgs.hpp"
#include "sae_fast/objective.hpp"
#include "sae_fast/train.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

std::size_t at(Size i) { return static_cast<std::size_t>(i); }

// A network with its parameters, its gradients and its data.
template <class T>
struct Deep {
    Deep(const std::vector<Size>& sizes_, Size m_, Loss loss_, Unit hidden, double beta)
        : sizes(sizes_), m(m_), loss(loss_) {
        const std::size_t n = sizes.size() - 1;
        Size n_params = 0;
        for (std::size_t l = 0; l < n; ++l) {
            layers.push_back({nullptr, nullptr, sizes[l], sizes[l + 1]});
            settings.push_back({l + 1 < n ? hidden : Unit::linear, {0.2, beta, 0.01 * static_cast<double>(l + 1)}});
            n_params += (sizes[l] + 1) * sizes[l + 1];
        }
        theta = numbers<T>(n_params, 3, 0.7);
        gradient.resize(theta.size());
        grad = layers;
        view_layers(theta.data(), layers.data(), static_cast<Size>(n));
        view_layers(gradient.data(), grad.data(), static_cast<Size>(n));
        for (const Layer<T>& layer : layers) fixed.push_back({layer.W, layer.b, layer.n_in, layer.n_out});
        X = data<T>(m, sizes.front());
        Y = data<T>(m, sizes.back(), 9);
        for (Size i = 0; i < m; ++i) labels.push_back(i * 7 % sizes.back());
    }

    Network<const T> network() const { return {fixed.data(), settings.data(), static_cast<Size>(fixed.size()), loss}; }
    Problem<T> problem() const {
        Problem<T> p;
        p.network = network();
        p.X = samples(X, sizes.front());
        if (loss == Loss::squared) p.target = samples(Y, sizes.back());
        p.labels = labels.data();
        return p;
    }
    Cost evaluate(int n_threads = 1) {
        return sae_fast::evaluate(problem(), {grad.data(), nullptr, nullptr}, n_threads, workspace);
    }

    // J in long double, by the formulas.
    Real cost_naive() const {
        Real J = 0;
        std::vector<Real> a(X.begin(), X.end());
        for (std::size_t l = 0; l < layers.size(); ++l) {
            const Layer<T>& layer = layers[l];
            a = layer_forward_naive(layer.W, layer.b, a, layer.n_in, layer.n_out, settings[l].unit);
            for (Size i = 0; i < layer.n_in * layer.n_out; ++i)
                J += static_cast<Real>(settings[l].penalty.weight_decay) / 2 * layer.W[i] * layer.W[i];
            for (Size j = 0; l + 1 < layers.size() && settings[l].penalty.beta > 0 && j < layer.n_out; ++j) {
                Real q = 0;
                for (Size i = 0; i < m; ++i) {
                    const Real s = a[at(i * layer.n_out + j)];
                    q += (settings[l].unit == Unit::tanh ? (s + 1) / 2 : s) / static_cast<Real>(m);
                }
                const Real rho = settings[l].penalty.rho;
                J += settings[l].penalty.beta * (rho * std::log(rho / q) + (1 - rho) * std::log((1 - rho) / (1 - q)));
            }
        }
        const Size n_out = sizes.back();
        for (Size i = 0; i < m; ++i) {
            Real sum = 0, error = 0;
            for (Size k = 0; k < n_out; ++k) {
                sum += std::exp(a[at(i * n_out + k)]);
                const Real d = a[at(i * n_out + k)] - Y[at(i * n_out + k)];
                error += d * d / 2;
            }
            const Real loss_of_row = std::log(sum) - a[at(i * n_out + labels[at(i)])];
            J += (loss == Loss::softmax ? loss_of_row : error) / static_cast<Real>(m);
        }
        return J;
    }

    std::vector<Size> sizes;
    Size m;
    Loss loss;
    std::vector<Layer<T>> layers, grad;
    std::vector<Layer<const T>> fixed;
    std::vector<LayerSettings> settings;
    std::vector<T> theta, gradient, X, Y;
    std::vector<Size> labels;
    Workspace workspace;
};

// Largest error of the gradient against central differences of fourth order of the naive cost.
double gradient_error(const std::vector<Size>& sizes, Loss loss, Unit hidden, double beta) {
    Deep<double> net(sizes, 9, loss, hidden, beta);
    const Cost cost = net.evaluate();
    CHECK(std::fabs(cost.total() / static_cast<double>(net.cost_naive()) - 1) < 1e-13);
    std::vector<double> measured;
    for (double& x : net.theta) {
        const double was = x, e = 1e-3;
        Real J[4];
        const double steps[] = {e, -e, 2 * e, -2 * e};
        for (int i = 0; i < 4; ++i) {
            x = was + steps[i];
            J[i] = net.cost_naive();
        }
        x = was;
        measured.push_back(static_cast<double>((8 * (J[0] - J[1]) - (J[2] - J[3])) / (12 * static_cast<Real>(e))));
    }
    return error(net.gradient, measured);
}

template <class T>
void same_for_any_threads(const std::vector<Size>& sizes, Size m, double beta) {
    for (const Loss loss : {Loss::squared, Loss::softmax}) {
        Deep<T> net(sizes, m, loss, Unit::sigmoid, beta);
        const double J = net.evaluate().total();
        const std::vector<T> first = net.gradient;
        std::vector<T> output(at(m * sizes.back())), other(output.size());
        const auto forward = [&](int n_threads, std::vector<T>& out) {
            sae_fast::forward(net.network(), samples(net.X, sizes.front()), out.data(), sizes.back(), n_threads,
                              net.workspace);
        };
        forward(1, output);
        for (const int n_threads : {2, 3, 8}) {
            CHECK(net.evaluate(n_threads).total() == J);
            CHECK(net.gradient == first);
            forward(n_threads, other);
            CHECK(other == output);
        }
    }
}

}  // namespace

TEST("deep gradients are the slopes of the naive cost, in every layer") {
    for (const Loss loss : {Loss::squared, Loss::softmax})
        for (const double beta : {0.0, 2.0})
            for (const Unit hidden : {Unit::sigmoid, Unit::tanh}) {
                CHECK(gradient_error({5, 3}, loss, hidden, beta) < 1e-9);
                CHECK(gradient_error({5, 4, 3}, loss, hidden, beta) < 1e-9);
                CHECK(gradient_error({4, 3, 5, 3}, loss, hidden, beta) < 1e-9);
                CHECK(gradient_error({4, 3, 2, 5, 3}, loss, hidden, beta) < 1e-9);
            }
    CHECK(gradient_error({4, 3, 5, 3}, Loss::softmax, Unit::linear, 0) < 1e-9);
}

LONG_TEST("deep networks: nothing depends on the number of threads, to the last bit") {
    for (const double beta : {0.0, 3.0}) {
        same_for_any_threads<float>({200, 100, 60, 10}, 256, beta);
        same_for_any_threads<double>({100, 60, 30, 10}, 2500, beta);
        same_for_any_threads<float>({300, 200, 10}, 5, beta);
    }
}

TEST("a class that is far ahead leaves its loss and delta their precision") {
    for (const double gap : {30.0, 300.0, 700.0}) {
        Deep<double> net({3, 2}, 1, Loss::softmax, Unit::linear, 0);
        std::fill(net.theta.begin(), net.theta.end(), 0.0);
        net.theta[6] = gap;  // b of class 0, the label
        CHECK(std::fabs(net.evaluate().reconstruction / std::exp(-gap) - 1) < 1e-12);
        CHECK(std::fabs(net.gradient[6] / -std::exp(-gap) - 1) < 1e-12);
        net.theta[6] = -gap;
        CHECK(std::fabs(net.evaluate().reconstruction / gap - 1) < 1e-12);
    }
}

TEST("saturated hidden layers of any depth stay finite") {
    for (const double b : {-800.0, -40.0, 40.0, 800.0})
        for (const std::size_t layer : {0u, 1u})
            for (const double beta : {0.0, 3.0}) {
                Deep<double> net({6, 5, 4, 3}, 9, Loss::softmax, Unit::sigmoid, beta);
                std::fill(net.layers[layer].b, net.layers[layer].b + net.layers[layer].n_out, b);
                CHECK(std::isfinite(net.evaluate().total()));
                for (const double g : net.gradient) CHECK(std::isfinite(g));
                if (beta > 0) CHECK(std::fabs(net.grad[layer].b[0]) > 0.01);
            }
}

TEST("the second call of a deep network with one workspace takes no memory") {
    Deep<float> net({64, 25, 20, 10}, 2000, Loss::softmax, Unit::sigmoid, 3);
    net.evaluate(2);
    const std::size_t size = net.workspace.size();
    net.evaluate(2);
    CHECK(size > 0 && net.workspace.size() == size);
}

TEST("deep training and L-BFGS go downhill") {
    for (const Loss loss : {Loss::squared, Loss::softmax}) {
        Deep<float> net({20, 12, 8, 4}, 300, loss, Unit::tanh, 0.1);
        const double start = net.evaluate().total();
        const std::vector<float> theta = net.theta;
        TrainOptions options;
        options.batch_size = 64;
        Trainer<float> trainer({net.layers.data(), net.settings.data(), 3, loss}, options);
        for (int epoch = 0; epoch < 20; ++epoch)
            trainer.run_epoch(net.problem().X, net.problem().target, net.labels.data(), nullptr);
        CHECK(trainer.n_steps() == 100);
        CHECK(net.evaluate().total() < start);
        net.theta = theta;
        Lbfgs<float> optimizer(net.theta.data(), std::make_unique<NetworkObjective<float>>(net.problem()),
                               LbfgsOptions{}, 2);
        CHECK(std::fabs(optimizer.start().cost.total() / start - 1) < 1e-6);
        double reached = start;
        for (int i = 0; i < 20; ++i) reached = optimizer.iterate().cost.total();
        CHECK(reached < 0.9 * start);
    }
}
