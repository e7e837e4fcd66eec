// Weight updates, shuffling, minibatch training and L-BFGS.
#include <algorithm>
#include <stdexcept>

#include "problem.hpp"
#include "sae_fast/interrupt.hpp"
#include "sae_fast/lbfgs.hpp"
#include "sae_fast/train.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

constexpr LayerSettings kSigmoid[2] = {};

template <class T>
void train_is_the_same_for_any_threads(Rule rule) {
    const std::vector<T> X = data<T>(500, 40);
    const Arrays<T> start(40, 30, 5, 0.1);
    Arrays<T> first = start;
    double cost_first = 0, cost_last = 0;
    for (const int n_threads : {1, 2, 3}) {
        Arrays<T> p = start;
        TrainOptions options;
        options.rule = rule;
        options.batch_size = 96;
        options.n_threads = n_threads;
        options.seed = 3;
        Trainer<T> trainer({p.view().data(), kSigmoid, 2, Loss::squared}, options);
        for (int epoch = 0; epoch < 8; ++epoch) {
            const EpochSummary summary = trainer.run_epoch(samples(X, 40), Samples{}, nullptr, nullptr);
            if (epoch == 0) cost_first = summary.cost.total();
            cost_last = summary.cost.total();
        }
        if (n_threads == 1) first = p;
        CHECK(p == first);
        CHECK(!(p == start));
        CHECK(cost_last < cost_first);
        CHECK(trainer.n_steps() == 8 * 6);
    }
}

template <class T>
void lbfgs_descends() {
    const Size v = 20, h = 8;
    const std::vector<T> X = data<T>(300, v);
    const Arrays<T> p(v, h, 5, 0.1);
    std::vector<T> theta;
    for (const auto* block : {&p.W1, &p.W2, &p.b1, &p.b2}) theta.insert(theta.end(), block->begin(), block->end());
    const Autoencoder<T> given(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{0.2, 3.0, 1e-3});
    Lbfgs<T> optimizer(theta.data(), std::make_unique<NetworkObjective<T>>(given.problem()), LbfgsOptions{}, 2);
    double before = optimizer.start().cost.total();
    const double start = before;
    for (int i = 0; i < 60; ++i) {
        const LbfgsStep step = optimizer.iterate();
        if (step.status == LbfgsStatus::stalled) break;
        CHECK(step.cost.total() <= before + 1e-5 * start);
        before = step.cost.total();
    }
    CHECK(before < 0.8 * start);
}

}  // namespace

TEST("SplitMix64 gives the published numbers") {
    SplitMix64 random(1234567);
    CHECK(random.next() == 6457827717110365317ULL);
    CHECK(random.next() == 3203168211198807973ULL);
    CHECK(random.next() == 9817491932198370423ULL);
}

TEST("a number below n is the high half of the product with n, for any n") {
#if defined(__SIZEOF_INT128__)
    SplitMix64 sizes(5);
    for (unsigned bits = 1; bits <= 64; ++bits)
        for (int i = 0; i < 20; ++i) {
            const std::uint64_t n = (sizes.next() >> (64 - bits)) | 1;
            SplitMix64 random(n), same(n);
            __extension__ using Wide = unsigned __int128;
            CHECK(random.below(n) == static_cast<std::uint64_t>((static_cast<Wide>(same.next()) * n) >> 64));
        }
#endif
}

TEST("shuffle permutes, and another seed gives another order") {
    std::vector<Size> a(1000), b(1000);
    SplitMix64 one(1), two(2);
    shuffle(a.data(), 1000, one);
    shuffle(b.data(), 1000, two);
    CHECK(a != b);
    std::sort(a.begin(), a.end());
    for (Size i = 0; i < 1000; ++i) CHECK(a[static_cast<std::size_t>(i)] == i);
}

TEST("the updates are the published formulas") {
    Arrays<double> p(3, 2), g(3, 2, 9);
    const double w = p.W1[0], d = g.W1[0];
    Rule rule;
    rule.solver = Solver::sgd;
    rule.learning_rate = 0.1;
    rule.momentum = 0.9;
    Optimizer<double> sgd(rule, 3 * 2 * 2 + 3 + 2);
    sgd.step(p.view().data(), static_cast<const Arrays<double>&>(g).view().data(), 2, 1);
    sgd.step(p.view().data(), static_cast<const Arrays<double>&>(g).view().data(), 2, 1);
    CHECK(std::fabs(p.W1[0] - (w - 0.1 * d - 0.1 * 1.9 * d)) < 1e-15);
    const double b = p.b2[2], e = g.b2[2];
    Optimizer<double> adam(Rule{}, 3 * 2 * 2 + 3 + 2);
    adam.step(p.view().data(), static_cast<const Arrays<double>&>(g).view().data(), 2, 1);
    CHECK(std::fabs(p.b2[2] - (b - 1e-3 * e / (std::fabs(e) + 1e-8))) < 1e-15);
}

TEST("training falls and is bitwise the same for any number of threads") {
    Rule sgd;
    sgd.solver = Solver::sgd;
    sgd.learning_rate = 0.05;
    sgd.momentum = 0.5;
    sgd.nesterov = true;
    train_is_the_same_for_any_threads<float>(sgd);
    train_is_the_same_for_any_threads<double>(sgd);
    train_is_the_same_for_any_threads<float>(Rule{});
    train_is_the_same_for_any_threads<double>(Rule{});
}

TEST("an epoch stops where it is asked to") {
    const std::vector<double> X = data<double>(500, 10);
    Arrays<double> p(10, 4);
    TrainOptions options;
    options.batch_size = 50;
    Trainer<double> trainer({p.view().data(), kSigmoid, 2, Loss::squared}, options);
    int asked = 0;
    const Interrupt third([](void* context) { return ++*static_cast<int*>(context) == 3; }, &asked);
    CHECK(trainer.run_epoch(samples(X, 10), Samples{}, nullptr, nullptr).interrupted);
    CHECK(trainer.n_steps() == 2);
}

TEST("a trainer goes on from its checkpoint with other settings as one that never left it") {
    const std::vector<double> X = data<double>(130, 9);
    for (const Solver solver : {Solver::adam, Solver::sgd}) {
        Arrays<double> one(9, 4), two = one;
        TrainOptions options;
        options.rule.solver = solver;
        options.rule.momentum = solver == Solver::sgd ? 0.9 : 0.0;
        options.batch_size = 32;
        Trainer<double> straight({one.view().data(), kSigmoid, 2, Loss::squared}, options);
        Trainer<double> astray({two.view().data(), kSigmoid, 2, Loss::squared}, options);
        straight.run_epoch(samples(X, 9), Samples{}, nullptr, nullptr);
        astray.run_epoch(samples(X, 9), Samples{}, nullptr, nullptr);
        const Arrays<double> kept = two;
        astray.checkpoint();
        TrainOptions wild = options;
        wild.rule.learning_rate = 1e300;
        astray.change(kSigmoid, wild);
        astray.run_epoch(samples(X, 9), Samples{}, nullptr, nullptr);
        CHECK(!(two == kept));
        astray.rollback();
        std::copy(kept.W1.begin(), kept.W1.end(), two.W1.begin());  // the trainer holds on to the arrays themselves
        std::copy(kept.b1.begin(), kept.b1.end(), two.b1.begin());
        std::copy(kept.W2.begin(), kept.W2.end(), two.W2.begin());
        std::copy(kept.b2.begin(), kept.b2.end(), two.b2.begin());
        options.rule.learning_rate = 0.03;
        LayerSettings sparse[2] = {};
        sparse[0].penalty.beta = 0.5;
        options.batch_size = 50;
        for (Trainer<double>* trainer : {&straight, &astray}) {
            trainer->change(sparse, options);
            trainer->run_epoch(samples(X, 9), Samples{}, nullptr, nullptr);
            CHECK(trainer->n_steps() == 5 + 3);
        }
        CHECK(one == two);
        options.rule.solver = solver == Solver::sgd ? Solver::adam : Solver::sgd;
        bool refused = false;
        try {
            straight.change(sparse, options);
        } catch (const std::invalid_argument&) {
            refused = true;
        }
        CHECK(refused);
    }
}

TEST("momentum begins, and ends, between two steps") {
    Arrays<double> p(3, 2), g(3, 2, 9);
    const double w = p.W1[0], d = g.W1[0];
    Rule rule;
    rule.solver = Solver::sgd;
    rule.learning_rate = 0.1;
    Optimizer<double> sgd(rule, 3 * 2 * 2 + 3 + 2);
    const auto step = [&](double momentum) {
        rule.momentum = momentum;
        sgd.set_rule(rule);
        sgd.step(p.view().data(), static_cast<const Arrays<double>&>(g).view().data(), 2, 1);
    };
    step(0);
    step(0.5);
    step(0.5);
    CHECK(std::fabs(p.W1[0] - (w - 0.1 * d * (1 + 1 + 1.5))) < 1e-15);
    step(0);
    step(0.5);
    CHECK(std::fabs(p.W1[0] - (w - 0.1 * d * (1 + 1 + 1.5 + 1 + 1))) < 1e-15);
}

TEST("L-BFGS goes downhill in both types") {
    lbfgs_descends<float>();
    lbfgs_descends<double>();
}
