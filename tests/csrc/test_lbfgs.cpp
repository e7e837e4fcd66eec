// L-BFGS against its textbook form: the two loops over the pairs themselves (Nocedal and Wright, algorithm 7.4).
#include "sae_fast/lbfgs.hpp"

#include <cmath>
#include <utility>

#include "problem.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

// Chained valleys: sum of a_i/2 x_i^2 + (x_{i+1} - x_i^2)^2, neither quadratic nor separable; all in double.
struct Valleys {
    Size n;

    double operator()(const std::vector<double>& x, std::vector<double>& gradient) const {
        double value = 0;
        gradient.assign(x.size(), 0.0);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double a = 1 + static_cast<double>(i % 7);
            value += a / 2 * x[i] * x[i];
            gradient[i] += a * x[i];
            if (i + 1 == x.size()) break;
            const double d = x[i + 1] - x[i] * x[i];
            value += d * d;
            gradient[i + 1] += 2 * d;
            gradient[i] -= 4 * d * x[i];
        }
        return value;
    }
};

template <class T>
class ValleyObjective final : public Objective<T> {
public:
    explicit ValleyObjective(Valleys f) : f_(f) {}
    Size n_params() const noexcept override { return f_.n; }
    Size n_means() const noexcept override { return 1; }
    Size n_hidden_units() const noexcept override { return 0; }
    Cost evaluate(const T* theta, T* gradient, double* rho_hat, double*, int) override {
        const std::vector<double> x(theta, theta + f_.n);
        std::vector<double> g;
        Cost cost;
        cost.reconstruction = f_(x, g);
        for (std::size_t i = 0; i < g.size(); ++i) gradient[i] = static_cast<T>(g[i]);
        rho_hat[0] = x[0];  // tells at which point this was
        return cost;
    }

private:
    Valleys f_;
};

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

std::vector<double> minus(const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> c(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) c[i] = a[i] - b[i];
    return c;
}

using Pairs = std::vector<std::pair<std::vector<double>, std::vector<double>>>;  // s, y, the oldest first

std::vector<double> two_loops(const Pairs& pairs, std::vector<double> q) {
    std::vector<double> alpha;
    for (std::size_t i = pairs.size(); i-- > 0;) {
        const auto& [s, y] = pairs[i];
        alpha.insert(alpha.begin(), dot(s, q) / dot(s, y));
        for (std::size_t k = 0; k < q.size(); ++k) q[k] -= alpha.front() * y[k];
    }
    if (!pairs.empty()) {
        const auto& [s, y] = pairs.back();
        const double gamma = dot(s, y) / dot(y, y);
        for (double& x : q) x *= gamma;
    }
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const auto& [s, y] = pairs[i];
        const double beta = dot(y, q) / dot(s, y);
        for (std::size_t k = 0; k < q.size(); ++k) q[k] += (alpha[i] - beta) * s[k];
    }
    return q;
}

// Largest sine of the angle between a step and the textbook's direction, over 15 iterations.
template <class T>
double worst_sine(Size n, int memory) {
    const Valleys f{n};
    std::vector<T> theta = numbers<T>(n, 5, 1.5);
    LbfgsOptions options;
    options.memory = memory;
    options.curvature = 0.02;
    Lbfgs<T> optimizer(theta.data(), std::make_unique<ValleyObjective<T>>(f), options, 2);
    optimizer.start();
    std::vector<double> x(theta.begin(), theta.end()), gradient, next;
    f(x, gradient);
    Pairs pairs;
    double worst = 0;
    for (int k = 0; k < 15; ++k) {
        if (optimizer.iterate().status != LbfgsStatus::going) break;
        const std::vector<double> direction = two_loops(pairs, gradient);
        const std::vector<double> now(theta.begin(), theta.end()), s = minus(now, x);
        const double cosine = dot(s, direction) / std::sqrt(dot(s, s) * dot(direction, direction));
        worst = std::fmax(worst, std::sqrt(std::fmax(0.0, 1 - cosine * cosine)) + (cosine > 0 ? 2 : 0));
        f(now, next);
        // The strong Wolfe condition of slopes, from sums over all parameters.
        CHECK(std::fabs(dot(s, next)) <= options.curvature * std::fabs(dot(s, gradient)) * (1 + 1e-3));
        if (static_cast<int>(pairs.size()) == memory) pairs.erase(pairs.begin());
        pairs.emplace_back(s, minus(next, gradient));
        x = now;
        gradient = next;
    }
    CHECK(static_cast<int>(pairs.size()) == memory);
    return worst;
}

}  // namespace

TEST("L-BFGS steps along the textbook's direction, with few and many pairs, in one chunk and in several") {
    for (const Size n : {3, 50, 4096, 4099, 10000})
        for (const int memory : {1, 3, 10}) {
            if (n > 3 || memory < 10) CHECK(worst_sine<double>(n, memory) < 1e-6);
        }
    CHECK(worst_sine<float>(10000, 5) < 2e-3);
}

TEST("what L-BFGS reports is the cost at theta, also where no trial satisfies the line search") {
    for (const unsigned seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U})
        for (const int n_evaluations : {1, 2, 3, 4, 5, 6, 8}) {
            const double curvature = seed % 2 == 0 ? 0.9 : 1e-9;
            const Valleys f{seed < 5 ? Size(40) : Size(2)};
            std::vector<double> theta = numbers<double>(f.n, seed, seed), gradient;
            LbfgsOptions options;
            options.max_evaluations = n_evaluations;
            options.curvature = curvature;
            Lbfgs<double> optimizer(theta.data(), std::make_unique<ValleyObjective<double>>(f), options, 1);
            double before = optimizer.start().cost.total();
            for (int k = 0; k < 30; ++k) {
                const std::vector<double> was = theta;
                const LbfgsStep step = optimizer.iterate();
                const double now = f(theta, gradient);
                CHECK(step.cost.total() == now);
                CHECK(optimizer.rho_hat()[0] == theta[0]);
                double top = 0;
                for (const double g : gradient) top = std::fmax(top, std::fabs(g));
                CHECK(step.gradient_max == top);
                if (step.status != LbfgsStatus::going) {
                    CHECK(theta == was);
                    break;
                }
                CHECK(now <= before + 1e-14 * std::fabs(before));  // what rounding of J may hide (lbfgs.hpp)
                before = now;
            }
        }
}

TEST("an iteration takes no memory once the first ones have been made") {
    for (const int n_threads : {1, 2}) {
        const std::vector<float> X = data<float>(400, 40);
        const Arrays<float> p(40, 20, 5, 0.1);
        std::vector<float> theta;
        for (const auto* block : {&p.W1, &p.W2, &p.b1, &p.b2}) theta.insert(theta.end(), block->begin(), block->end());
        const Autoencoder<float> given(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{0.2, 3.0, 1e-3});
        LbfgsOptions options;
        options.memory = 5;
        options.unit_range = true;
        Lbfgs<float> optimizer(theta.data(), std::make_unique<NetworkObjective<float>>(given.problem()), options,
                               n_threads);
        optimizer.start();
        optimizer.iterate();
        const long before = allocations();
        for (int i = 0; i < 12; ++i) optimizer.iterate();
        CHECK(allocations() == before);
        const std::vector<double>& range = optimizer.unit_range();
        CHECK(range.size() == 40);
        for (std::size_t j = 0; j < 20; ++j) {
            CHECK(range[2 * j] < optimizer.rho_hat()[j] && optimizer.rho_hat()[j] < range[2 * j + 1]);
        }
    }
}
