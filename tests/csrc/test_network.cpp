// Cost, deltas and gradients: naive twin, finite differences, threads, memory.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <new>

#include "naive.hpp"
#include "problem.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

// A penalty that the hidden unit can have.
Penalty penalty_for(Unit hidden) { return {0.1, has_bounded_mean(hidden) ? 2.0 : 0.0, 0.01, 0}; }

template <class T>
void against_naive(Size m, Size v, Size h, Unit hidden, Unit output, double tolerance, Loss loss = Loss::squared,
                   const Penalty* other = nullptr, bool weighted = false) {
    Arrays<T> p(v, h);
    if (hidden == Unit::satlin)  // at both ends, but not for all samples, whose KL is infinite
        for (std::size_t i = 0; i < p.W1.size(); ++i) p.W1[i] *= T(0.3), p.b1[i % p.b1.size()] = T(0.5);
    const std::vector<T> X = data<T>(m, v);
    const Penalty penalty = other == nullptr ? penalty_for(hidden) : *other;
    const std::vector<double> weights = data<double>(m, 1, 4);
    Arrays<T> grad(v, h);
    std::vector<T> delta3(X.size()), delta2(static_cast<std::size_t>(m * h));
    std::vector<double> rho_hat(static_cast<std::size_t>(h));
    std::array<Layer<T>, 2> view = grad.view();
    Workspace workspace;
    Autoencoder<T> given(p, X, hidden, output, penalty, loss);
    if (weighted) given.sample_weight = weights.data();
    T* const deltas[] = {delta2.data(), delta3.data()};
    const Cost cost = evaluate(given.problem(), Results<T>{view.data(), deltas, rho_hat.data(), nullptr}, 2, workspace);
    const Naive wanted = evaluate_naive(p, X, given.problem());
    const auto check = [&](const Cost& found) {
        CHECK(std::fabs(found.reconstruction / static_cast<double>(wanted.reconstruction) - 1) < tolerance);
        CHECK(std::fabs(found.weight_decay / static_cast<double>(wanted.weight_decay) - 1) < tolerance);
        const double sparsity = static_cast<double>(wanted.sparsity);
        CHECK(found.sparsity == sparsity || std::fabs(found.sparsity - sparsity) <= tolerance * sparsity);
        CHECK(error(grad.W1, wanted.W1) < tolerance);
        CHECK(error(grad.b1, wanted.b1) < tolerance);
        CHECK(error(grad.W2, wanted.W2) < tolerance);
        CHECK(error(grad.b2, wanted.b2) < tolerance);
        if (has_mean(hidden)) CHECK(error(rho_hat, wanted.rho_hat) < tolerance);
    };
    check(cost);
    CHECK(error(delta3, wanted.delta3) < tolerance);
    CHECK(error(delta2, wanted.delta2) < tolerance);
    grad = Arrays<T>(v, h);  // without deltas, few samples go another way
    view = grad.view();
    check(evaluate(given.problem(), Results<T>{view.data(), nullptr, rho_hat.data(), nullptr}, 2, workspace));
}

double cost_of(const Problem<double>& problem) {
    Workspace workspace;
    return evaluate(problem, Results<double>{}, 1, workspace).total();
}

// Moves pre-activations away from kinks, to all sides of them; those of hidden satlin units stay between both, since a
// unit at one end for all samples has an infinite KL.
void avoid_kinks(std::vector<double>& W, std::vector<double>& b, Unit unit, bool hidden, double l1 = 0) {
    const bool has_kinks = facts(unit).rate == 0 && unit != Unit::linear;
    if (!has_kinks && (l1 == 0 || facts(unit).low == 0)) return;  // |a| has one where a is 0
    for (double& w : W) w *= 0.1;
    for (std::size_t j = 0; j < b.size(); ++j) {
        const double middle = hidden && unit == Unit::satlin ? 0.5 : -0.5 + static_cast<double>(j % 3);
        b[j] = middle + 0.1 * b[j];
    }
}

bool has_kinks(Loss loss) { return loss == Loss::absolute || loss == Loss::huber; }

// Largest error of the gradient against central differences of fourth order, over every parameter of one block.
double gradient_error(std::vector<double> Arrays<double>::* block, Unit hidden, Unit output, Loss loss, double l1 = 0) {
    Arrays<double> p(6, 5), grad(6, 5);
    avoid_kinks(p.W1, p.b1, hidden, true, l1);
    avoid_kinks(p.W2, p.b2, output, false);
    const std::vector<double> X = data<double>(9, 6);
    std::vector<double> target = X;
    if (has_kinks(loss)) {
        const std::vector<Real> a2 = layer_forward_naive(p.W1.data(), p.b1.data(), X, 6, 5, hidden);
        const std::vector<Real> a3 = layer_forward_naive(p.W2.data(), p.b2.data(), a2, 5, 6, output);
        const double errors[] = {0.4, -0.3, 1.6, -1.7};  // on all sides of 0, 1 and -1
        for (std::size_t i = 0; i < X.size(); ++i) target[i] = static_cast<double>(a3[i]) - errors[i % 4];
    }
    Penalty penalty = penalty_for(hidden);
    penalty.l1 = l1;
    const Autoencoder<double> given(p, X, hidden, output, penalty, loss, &target);
    const std::array<Layer<double>, 2> view = grad.view();
    Workspace workspace;
    evaluate(given.problem(), Results<double>{view.data(), nullptr, nullptr}, 1, workspace);
    std::vector<double> measured;
    for (double& x : p.*block) {
        const double was = x, e = 1e-3;
        double J[4];
        const double steps[] = {e, -e, 2 * e, -2 * e};
        for (int i = 0; i < 4; ++i) {
            x = was + steps[i];
            J[i] = cost_of(given.problem());
        }
        x = was;
        measured.push_back((8 * (J[0] - J[1]) - (J[2] - J[3])) / (12 * e));
    }
    return error(grad.*block, measured);
}

template <class T>
void same_for_any_threads(Size m, Size v, Size h, Penalty penalty = {}) {
    const Arrays<T> p(v, h);
    const std::vector<T> X = data<T>(m, v);
    Arrays<T> first(v, h);
    Cost cost;
    for (const int n_threads : {1, 2, 3, 8}) {
        Arrays<T> grad(v, h);
        std::array<Layer<T>, 2> view = grad.view();
        Workspace workspace;
        const Autoencoder<T> given(p, X, Unit::sigmoid, Unit::sigmoid, penalty);
        const Cost now = evaluate(given.problem(), Results<T>{view.data(), nullptr, nullptr}, n_threads, workspace);
        if (n_threads == 1) {
            first = grad;
            cost = now;
        }
        CHECK(grad == first);
        CHECK(now.total() == cost.total());
    }
}

// Gradients of few samples side by side in memory, each with something behind it.
template <class T>
void leaves_neighbours(Size m, Size v, Size h) {
    const Arrays<T> p(v, h);
    const std::vector<T> X = data<T>(m, v);
    const Size sizes[] = {h * v, h, v * h, v};
    const Size behind = 64;
    std::vector<T> grad(static_cast<std::size_t>(2 * h * v + h + v + 4 * behind), T(7));
    T* at[4] = {grad.data()};
    for (int i = 1; i < 4; ++i) at[i] = at[i - 1] + sizes[i - 1] + behind;
    const Layer<T> view[] = {{at[0], at[1], v, h}, {at[2], at[3], h, v}};
    Workspace workspace;
    const Autoencoder<T> given(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{});
    evaluate(given.problem(), Results<T>{view, nullptr, nullptr}, 1, workspace);
    for (int i = 0; i < 4; ++i) {
        CHECK(std::count(at[i], at[i] + sizes[i], T(7)) == 0);
        CHECK(std::count(at[i] + sizes[i], at[i] + sizes[i] + behind, T(7)) == behind);
    }
}

}  // namespace

TEST("cost, deltas and gradients are those of the naive twin for every pair of units") {
    for (const Unit hidden : all_units())
        for (const Unit output : all_units())
            for (const Size m : {1, 9, 70}) {
                against_naive<float>(m, 17, 9, hidden, output, 3e-5);
                against_naive<double>(m, 17, 9, hidden, output, 1e-12);
            }
}

TEST("and for awkward shapes") {
    for (const Size v : {1, 8, 25, 33})
        for (const Size h : {1, 7, 27, 65}) {
            against_naive<float>(33, v, h, Unit::sigmoid, Unit::linear, 3e-5);
            against_naive<double>(33, v, h, Unit::tanh, Unit::sigmoid, 1e-12);
        }
    against_naive<double>(300, 130, 70, Unit::sigmoid, Unit::sigmoid, 1e-12);
}

LONG_TEST("and for few samples, whole vectors of them or not") {
    for (const Size m : {16, 31, 64})
        for (const Unit hidden : all_units())
            for (const Unit output : all_units()) {
                against_naive<float>(m, 41, 35, hidden, output, 3e-5);
                against_naive<double>(m, 70, 33, hidden, output, 1e-12);
            }
    against_naive<float>(100, 800, 700, Unit::sigmoid, Unit::sigmoid, 3e-5);
}

TEST("gradients of few samples leave what stands behind them as it is") {
    for (const Size v : {64, 66, 79, 130})
        for (const Size h : {25, 31, 32, 33, 49}) {
            leaves_neighbours<float>(16, v, h);
            leaves_neighbours<double>(16, v, h);
        }
}

TEST("every loss is that of the naive twin, for many samples and few") {
    for (const Unit output : all_units())
        for (const Loss loss : losses_for(output))
            for (const Size m : {5, 32, 70}) {
                against_naive<float>(m, 41, 35, Unit::sigmoid, output, 3e-5, loss);
                against_naive<double>(m, 70, 33, Unit::tanh, output, 1e-12, loss);
            }
}

namespace {

// Cost of one output whose pre-activation is z, with its delta.
template <class T>
Cost of_one_output(double z, double x, T& delta) {
    Arrays<T> p(1, 1);
    p.W1 = {0}, p.b1 = {0}, p.W2 = {0}, p.b2 = {static_cast<T>(z)};
    const std::vector<T> X(1, static_cast<T>(0.5)), target(1, static_cast<T>(x));
    T* const deltas[] = {nullptr, &delta};
    Workspace workspace;
    return evaluate(
        Autoencoder<T>(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{0.1, 0, 0}, Loss::cross_entropy, &target).problem(),
        Results<T>{nullptr, deltas, nullptr}, 1, workspace);
}

template <class T>
void cross_entropy_is_precise() {
    const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
    T delta = 0;
    for (const double z : {-80.0, -30.0, -3.0, -0.01, 0.0, 0.01, 3.0, 30.0, 80.0})
        for (const double x : {0.0, 0.25, 0.5, 1.0}) {
            const Real at = static_cast<T>(z);
            const Real softplus = std::log1p(std::exp(-std::fabs(at))) + (at > 0 ? at : 0);
            const Real wanted = softplus - x * at;  // long double has 11 digits more than are lost here at 30
            const Real cut = x == 0 && at < 0   ? std::log1p(std::exp(at))
                             : x == 1 && at > 0 ? std::log1p(std::exp(-at))
                                                : wanted;
            CHECK(std::fabs(of_one_output<T>(z, x, delta).reconstruction / static_cast<double>(cut) - 1) < 4 * epsilon);
            const Real a = 1 / (1 + std::exp(-at)), c = 1 / (1 + std::exp(at));
            const Real e = x == 1 ? -c : a - x;
            CHECK(std::fabs(static_cast<double>(delta - e)) <=
                  4 * epsilon * (std::fabs(static_cast<double>(e)) + std::fmin(x, 1 - x)));
        }
    for (const double x : {-1e-3, 1.001, HUGE_VAL, static_cast<double>(NAN)})
        CHECK(std::isnan(of_one_output<T>(1, x, delta).total()));
    CHECK(of_one_output<T>(HUGE_VAL, 1, delta).total() == 0);
    CHECK(of_one_output<T>(-HUGE_VAL, 0, delta).total() == 0);
}

}  // namespace

TEST("cross-entropy is precise where the output has rounded to its limit, and NaN for targets outside [0, 1]") {
    cross_entropy_is_precise<float>();
    cross_entropy_is_precise<double>();
    for (const Size m : {32, 70}) {  // few samples and many: one wrong target is enough
        const Arrays<double> p(40, 35);
        std::vector<double> X = data<double>(m, 40);
        const auto cost = [&] {
            return cost_of(
                Autoencoder<double>(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{}, Loss::cross_entropy).problem());
        };
        CHECK(std::isfinite(cost()));
        X[20 * 40 + 7] = 1.5;
        CHECK(std::isnan(cost()));
    }
}

LONG_TEST("an l1 penalty is that of the naive twin, alone or beside one on means, with weights of samples or without") {
    for (const Unit hidden : all_units())
        for (const double beta : {0.0, has_bounded_mean(hidden) ? 2.0 : 0.0})
            for (const bool weighted : {false, true})
                for (const Size m : {5, 32, 70, 600}) {
                    const Penalty penalty{0.1, beta, 0.01, 0.3};
                    against_naive<float>(m, 41, 35, hidden, Unit::linear, 1e-4, Loss::squared, &penalty, weighted);
                    against_naive<double>(m, 70, 33, hidden, Unit::tanh, 1e-12, Loss::squared, &penalty, weighted);
                }
}

TEST("losses take weights of samples") {
    for (const Loss loss : losses_for(Unit::sigmoid))
        for (const Size m : {5, 32, 70}) {
            const Penalty penalty{0.1, 2.0, 0.01, 0};
            against_naive<double>(m, 41, 35, Unit::sigmoid, Unit::sigmoid, 1e-12, loss, &penalty, true);
        }
}

TEST("gradients agree with finite differences for every block, pair of units and loss") {
    for (const Unit hidden : all_units())
        for (const Unit output : all_units())
            for (auto block : {&Arrays<double>::W1, &Arrays<double>::b1, &Arrays<double>::W2, &Arrays<double>::b2})
                for (const Loss loss : losses_for(output)) CHECK(gradient_error(block, hidden, output, loss) < 1e-9);
    for (const Unit hidden : all_units())
        for (auto block : {&Arrays<double>::W1, &Arrays<double>::b1, &Arrays<double>::W2, &Arrays<double>::b2})
            CHECK(gradient_error(block, hidden, Unit::linear, Loss::squared, 0.7) < 1e-9);
}

LONG_TEST("nothing depends on the number of threads, to the last bit") {
    same_for_any_threads<float>(1000, 64, 25);
    same_for_any_threads<double>(1000, 64, 25);
    same_for_any_threads<float>(300, 200, 150);
    same_for_any_threads<float>(32, 200, 150);
    same_for_any_threads<double>(40, 300, 200);
    same_for_any_threads<float>(3, 500, 300);
    for (const double beta : {0.0, 3.0})
        for (const Size m : {3, 40, 300, 1500}) {
            same_for_any_threads<float>(m, 300, 200, {0.1, beta, 1e-3, 0.5});
            same_for_any_threads<double>(m, 64, 25, {0.1, beta, 1e-3, 0.5});
        }
}

TEST("saturated units stay finite: the textbook formula gives NaN here") {
    for (const double b : {-800.0, -40.0, 40.0, 800.0})
        for (const double beta : {0.0, 3.0}) {
            Arrays<double> p(6, 5), grad(6, 5);
            for (double& x : p.b1) x = b;
            const std::vector<double> X = data<double>(9, 6);
            const std::array<Layer<double>, 2> view = grad.view();
            Workspace workspace;
            const Cost cost =
                evaluate(Autoencoder<double>(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{0.1, beta, 0.01}).problem(),
                         Results<double>{view.data(), nullptr, nullptr}, 1, workspace);
            CHECK(std::isfinite(cost.total()));
            for (const auto* block : {&grad.W1, &grad.b1, &grad.W2, &grad.b2})
                for (const double g : *block) CHECK(std::isfinite(g));
            if (beta > 0) CHECK(std::fabs(grad.b1[0]) > 0.01);
        }
}

TEST("a satlin unit that is at one end for all samples has an infinite KL, which moves nothing") {
    for (const double b : {-5.0, 5.0})
        for (const Size m : {9, 64}) {
            Arrays<double> p(40, 35), grad(40, 35), without(40, 35);
            for (double& w : p.W1) w *= 0.01;
            std::fill(p.b1.begin(), p.b1.end(), 0.5);
            p.b1[3] = b;
            const std::vector<double> X = data<double>(m, 40);
            Workspace workspace;
            const auto evaluated = [&](Arrays<double>& to, double beta) {
                const std::array<Layer<double>, 2> view = to.view();
                const Autoencoder<double> given(p, X, Unit::satlin, Unit::linear, Penalty{0.1, beta, 0});
                return evaluate(given.problem(), Results<double>{view.data(), nullptr, nullptr}, 1, workspace);
            };
            CHECK(evaluated(grad, 2.0).sparsity == HUGE_VAL);
            CHECK(evaluated(without, 0.0).sparsity == 0);
            CHECK(grad.b1[3] == 0 && without.b1[3] == 0);
            CHECK(std::isfinite(grad.b1[4]) && grad.b1[4] != without.b1[4]);
            CHECK(grad.W2 == without.W2);
        }
}

TEST("a sample of weight 0 leaves the penalty of a unit that is off for all others as it is") {
    Arrays<double> p(1, 1), grad(1, 1);
    p.W1 = {1600}, p.b1 = {-800}, p.W2 = {1}, p.b2 = {0};
    const std::vector<double> X{0, 1}, weights{1, 0};
    Autoencoder<double> given(p, X, Unit::sigmoid, Unit::linear, Penalty{0.1, 2, 0});
    given.sample_weight = weights.data();
    const std::array<Layer<double>, 2> view = grad.view();
    Workspace workspace;
    evaluate(given.problem(), Results<double>{view.data(), nullptr, nullptr}, 1, workspace);
    CHECK(std::fabs(grad.b1[0] + 2 * 0.1) < 1e-12);  // -beta rho, as s goes to 0
    CHECK(grad.W1[0] == 0);
}

TEST("units without tails are 0 at -0, count it as 0, and keep a NaN") {
    for (const Unit unit : {Unit::relu, Unit::satlin}) {
        Arrays<float> p(1, 1);
        p.W1 = {0}, p.b1 = {-0.0F}, p.W2 = {1}, p.b2 = {0};
        double rho_hat = 7;
        Workspace workspace;
        std::vector<float> X(20, -0.5F);
        const auto run = [&] {
            return evaluate(Autoencoder<float>(p, X, unit, Unit::linear, Penalty{0.1, 0, 0}).problem(),
                            Results<float>{nullptr, nullptr, &rho_hat, nullptr}, 1, workspace);
        };
        CHECK(run().reconstruction == 0.125 && rho_hat == 0);
        X[7] = NAN;
        CHECK(std::isnan(run().reconstruction) && std::isnan(rho_hat));
    }
}

LONG_TEST("ranges of units are those of their activations, for many samples and few, in one pass or two") {
    for (const Unit hidden : all_units())
        for (const double beta : {0.0, has_bounded_mean(hidden) ? 2.0 : 0.0})
            for (const bool backward : {false, true})
                for (const Size m : {1, 20, 64, 300, 2000}) {
                    const Size v = 40, h = 35;
                    const Arrays<double> p(v, h);
                    Arrays<double> grad(v, h);
                    const std::array<Layer<double>, 2> view = grad.view();
                    std::vector<double> X = data<double>(m, v), range(2 * h), wanted;
                    const std::vector<Real> a = layer_forward_naive(p.W1.data(), p.b1.data(), X, v, h, hidden);
                    for (Size j = 0; j < h; ++j) {
                        Real low = a[static_cast<std::size_t>(j)], high = low;
                        for (Size i = 1; i < m; ++i) {
                            const Real x = a[static_cast<std::size_t>(i * h + j)];
                            low = std::min(low, x), high = std::max(high, x);
                        }
                        wanted.insert(wanted.end(), {static_cast<double>(low), static_cast<double>(high)});
                    }
                    Workspace workspace;
                    const Autoencoder<double> given(p, X, hidden, Unit::linear, Penalty{0.1, beta, 0, 0});
                    const Results<double> results{backward ? view.data() : nullptr, nullptr, nullptr, range.data()};
                    evaluate(given.problem(), results, 2, workspace);
                    CHECK(error(range, wanted) < 1e-13);
                    X[X.size() / 2] = NAN;
                    evaluate(given.problem(), results, 2, workspace);
                    CHECK(std::all_of(range.begin(), range.end(), [](double x) { return std::isnan(x); }));
                }
}

TEST("the second call with one workspace takes no memory") {
    const Arrays<float> p(64, 25);
    const std::vector<float> X = data<float>(2000, 64);
    Arrays<float> grad(64, 25);
    const std::array<Layer<float>, 2> view = grad.view();
    Workspace workspace;
    const Autoencoder<float> given(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{});
    evaluate(given.problem(), Results<float>{view.data(), nullptr, nullptr}, 2, workspace);
    const std::size_t size = workspace.size();
    evaluate(given.problem(), Results<float>{view.data(), nullptr, nullptr}, 2, workspace);
    CHECK(size > 0 && workspace.size() == size);
}

TEST("a workspace keeps its memory for all that fits into it") {
    Workspace workspace;
    void* const first = workspace.reserve(5 << 20);
    const std::size_t size = workspace.size();
    CHECK(size >= 5 << 20);
    for (const std::size_t n : {std::size_t(1), std::size_t(64), std::size_t(5 << 20), size}) {
        CHECK(workspace.reserve(n) == first);
        CHECK(workspace.size() == size && workspace.wanted() == n);
    }
    workspace.reserve(size + 1);
    CHECK(workspace.size() > size);
    workspace.release();
    CHECK(workspace.size() == 0);
}
