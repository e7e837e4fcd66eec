// A step of training sparse codes: against a dense loss, on any threads, without memory of its own, and stopped.
#include <algorithm>
#include <cmath>

#include "problem.hpp"
#include "sae_fast/interrupt.hpp"
#include "sae_fast/ksparse_training.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

constexpr Size kFeatures = 33, kLatents = 65, kRows = 200;
constexpr Architecture kAll[] = {Architecture::topk, Architecture::batchtopk, Architecture::jumprelu,
                                 Architecture::relu, Architecture::gated};

template <class T>
SparseTrainer<T> trainer(Architecture architecture) {
    SparseRule rule;
    rule.architecture = architecture;
    rule.groups = {16, kLatents};
    return SparseTrainer<T>(rule, kFeatures, kLatents);
}

template <class T>
void start(SparseTrainer<T>& trainer) {
    unsigned seed = 1;
    for (const auto& p : trainer.parameters()) {
        const std::vector<T> values = numbers<T>(p.n, seed++, 0.2);
        std::copy(values.begin(), values.end(), p.values[0]);
        if (seed == 6)
            for (Size j = 0; j < p.n; ++j) p.values[0][j] = std::fabs(p.values[0][j]);
    }
    for (std::size_t j = 0; j < kLatents; j += 4) trainer.samples_since_fired[j] = 1000;
    trainer.changed();
}

SparseStep options(Architecture architecture, int n_threads = 1) {
    SparseStep o;
    o.learning_rate = 0.01;
    o.k = 5;
    o.l1 = o.l0 = 0.01;
    o.bandwidth = 0.2;
    o.aux_k = 3;
    o.aux_weight = 0.1;
    o.dead_after = 1000;
    o.multi_k = architecture == Architecture::topk ? 9 : 0;
    o.multi_weight = 0.125;
    o.clip = 0.5;
    o.n_threads = n_threads;
    return o;
}

template <class T>
std::vector<T> everything(const SparseTrainer<T>& trainer) {
    std::vector<T> all;
    for (const auto& p : trainer.parameters())
        for (const T* values : p.values) all.insert(all.end(), values, values + p.n);
    for (const std::int64_t n : trainer.samples_since_fired) all.push_back(static_cast<T>(n));
    return all;
}

template <class T>
void loss_is_that_of_dense_codes() {
    const std::vector<T> X = data<T>(kRows, kFeatures);
    auto of = trainer<T>(Architecture::topk);
    start(of);
    const auto& P = of.parameters();
    double wanted = 0;
    for (Size i = 0; i < kRows; ++i) {
        std::vector<double> z(kLatents);
        for (Size j = 0; j < kLatents; ++j) {
            z[static_cast<std::size_t>(j)] = static_cast<double>(P[1].values[0][j]);
            for (Size c = 0; c < kFeatures; ++c)
                z[static_cast<std::size_t>(j)] +=
                    static_cast<double>(X[static_cast<std::size_t>(i * kFeatures + c)] - P[3].values[0][c]) *
                    static_cast<double>(P[0].values[0][j * kFeatures + c]);
        }
        std::vector<double> sorted = z;
        std::sort(sorted.rbegin(), sorted.rend());
        for (const Size size : {Size(16), kLatents})
            for (Size c = 0; c < kFeatures; ++c) {
                double e = static_cast<double>(P[3].values[0][c] - X[static_cast<std::size_t>(i * kFeatures + c)]);
                for (Size j = 0; j < size; ++j)
                    if (z[static_cast<std::size_t>(j)] >= std::max(sorted[4], 0.0))
                        e += z[static_cast<std::size_t>(j)] * static_cast<double>(P[2].values[0][j * kFeatures + c]);
                wanted += e * e / 2 / static_cast<double>(kRows);
            }
    }
    SparseStep o;
    o.learning_rate = 0.01;
    o.k = 5;
    const SparseStepResult first = of.step(samples(X, kFeatures), o);
    CHECK(std::fabs(first.loss - wanted) < (sizeof(T) == 4 ? 1e-5 : 1e-12) * wanted);
    CHECK(first.n_active == 5 * kRows);
    double loss = first.loss;
    for (int i = 0; i < 20; ++i) loss = of.step(samples(X, kFeatures), o).loss;
    CHECK(loss < 0.9 * first.loss);
}

template <class T>
void steps_are_the_same_for_any_threads() {
    const std::vector<T> X = data<T>(kRows, kFeatures);
    for (const Architecture architecture : kAll) {
        std::vector<T> first;
        for (const int n_threads : {1, 2, 3, 8}) {
            auto of = trainer<T>(architecture);
            start(of);
            double aux = 0;
            for (int i = 0; i < 3; ++i)
                aux += of.step(samples(X, kFeatures), options(architecture, n_threads)).aux_loss;
            CHECK(aux > 0);
            if (n_threads == 1) first = everything(of);
            CHECK(everything(of) == first);
        }
    }
}

}  // namespace

TEST("a step's loss is that of dense codes, and falls") {
    loss_is_that_of_dense_codes<float>();
    loss_is_that_of_dense_codes<double>();
}

TEST("steps of sparse codes are bitwise the same for any threads") {
    steps_are_the_same_for_any_threads<float>();
    steps_are_the_same_for_any_threads<double>();
}

TEST("a step of sparse codes allocates nothing once its memory has grown") {
    const std::vector<float> X = data<float>(kRows, kFeatures);
    for (const Architecture architecture : kAll) {
        auto of = trainer<float>(architecture);
        SparseStep o = options(architecture);
        o.learning_rate = 1e-6;  // as many entries in each step, or nearly so
        start(of);
        for (int i = 0; i < 3; ++i) of.step(samples(X, kFeatures), o);
        start(of);
        const long before = allocations();
        for (int i = 0; i < 3; ++i) of.step(samples(X, kFeatures), o);
        CHECK(allocations() == before);
    }
}

TEST("a step of sparse codes that is stopped, or sees a bad row, changes nothing") {
    std::vector<float> X = data<float>(kRows, kFeatures);
    for (const Architecture architecture : kAll) {
        auto of = trainer<float>(architecture);
        start(of);
        of.step(samples(X, kFeatures), options(architecture));
        const std::vector<float> before = everything(of);
        {
            Interrupt interrupt([](void*) { return true; }, nullptr);
            interrupt.stops(1e9);
            of.step(samples(X, kFeatures), options(architecture));
            CHECK(interrupt.stopped());
        }
        CHECK(everything(of) == before);
        std::vector<float> bad = X;
        bad[static_cast<std::size_t>(7 * kFeatures + 2)] = HUGE_VALF;
        const SparseStepResult result = of.step(samples(bad, kFeatures), options(architecture));
        CHECK(result.bad.row == 7 && result.bad.given);
        CHECK(everything(of) == before);
    }
}
