// An evaluation whose samples come from a source, against the same samples in memory: every bit.
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "problem.hpp"
#include "sae_fast/lbfgs.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

// Gives blocks of some rows of an array, and counts what is asked of it.
template <class T>
class Blocks final : public SampleSource {
public:
    Blocks(const std::vector<T>& X, Size v, Size rows) : all_(samples(X, v)), rows_(rows) {}
    void begin() override {
        at_ = 0;
        ++n_passes;
    }
    Samples next() override {
        Samples block = all_;
        block.data = static_cast<const char*>(all_.data) + at_ * all_.row_stride;
        block.n_samples = std::min(rows_, all_.n_samples - at_);
        at_ += block.n_samples;
        if (at_ > fails_after) throw std::domain_error("the source fails");
        return block;
    }
    void end() noexcept override { ++n_ends; }

    int n_passes = 0, n_ends = 0;
    Size fails_after = Size(1) << 40;

private:
    Samples all_;
    Size rows_, at_ = 0;
};

template <class T>
struct Answer {
    explicit Answer(Size v, Size h)
        : grad(v, h),
          views(grad.view()),
          rho_hat(static_cast<std::size_t>(h)),
          range(static_cast<std::size_t>(2 * h)) {}
    Results<T> results() { return {views.data(), nullptr, rho_hat.data(), range.data()}; }
    bool operator==(const Answer& o) const {
        return grad == o.grad && rho_hat == o.rho_hat && range == o.range &&
               cost.reconstruction == o.cost.reconstruction && cost.weight_decay == o.cost.weight_decay &&
               cost.sparsity == o.cost.sparsity;
    }
    Arrays<T> grad;
    std::array<Layer<T>, 2> views;
    std::vector<double> rho_hat, range;
    Cost cost;
};

template <class T>
void pieces_are_exact(Size m, Size v, Size h, Penalty penalty, int n_passes, double shift = 0) {
    const std::vector<T> X = data<T>(m, v);
    Arrays<T> p(v, h, 5, 0.1);
    for (T& b : p.b1) b = static_cast<T>(static_cast<double>(b) + shift);
    Autoencoder<T> given(p, X, Unit::sigmoid, Unit::sigmoid, penalty);
    const std::vector<double> weight = [&] {
        std::vector<double> w = numbers<double>(m, 8);
        for (double& x : w) x = x < -0.8 ? 0 : x + 1.5;
        return w;
    }();
    Workspace workspace;
    for (const bool weighted : {false, true}) {
        given.sample_weight = weighted ? weight.data() : nullptr;
        Problem<T> problem = given.problem();
        Answer<T> wanted(v, h);
        wanted.cost = evaluate(problem, wanted.results(), 1, workspace);
        CHECK(std::isfinite(wanted.cost.total()));
        problem.X.data = nullptr;
        for (const int n_threads : {1, 2, 3})
            for (const Size rows : {Size(37), Size(1000)}) {
                Blocks<T> blocks(X, v, rows);
                Answer<T> got(v, h);
                got.cost = evaluate(problem, blocks, got.results(), n_threads, workspace);
                CHECK(got == wanted);
                CHECK(blocks.n_passes == n_passes && blocks.n_ends == n_passes);
            }
    }
}

}  // namespace

TEST("samples of a source give the bits of the same samples in memory, in one pass, two, and three for tiny means") {
    const Penalty means{0.1, 3.0, 1e-3}, none{0.1, 0, 1e-3, 0.01};
    pieces_are_exact<float>(100, 40, 20, means, 1);   // one block
    pieces_are_exact<float>(4001, 33, 20, means, 2);  // chunks
    pieces_are_exact<float>(4001, 33, 20, none, 1);
    pieces_are_exact<float>(4001, 33, 20, means, 3, -90);
}

LONG_TEST("and where a large gradient is made in blocks") {
    const Penalty means{0.1, 3.0, 1e-3}, none{0.1, 0, 1e-3, 0.01};
    pieces_are_exact<double>(1500, 200, 150, means, 2);
    pieces_are_exact<double>(1500, 200, 150, none, 1);
}

TEST("a source that has other samples than it should, or fails, ends the call with an error, and its pass") {
    const std::vector<double> X = data<double>(3000, 10);
    const Arrays<double> p(10, 4, 5, 0.1);
    const Autoencoder<double> given(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{});
    Workspace workspace;
    for (const Size m : {Size(2999), Size(3001), Size(50)}) {
        Problem<double> problem = given.problem();
        problem.X.n_samples = m;
        Blocks<double> blocks(X, 10, 500);
        bool thrown = false;
        try {
            evaluate(problem, blocks, {}, 1, workspace);
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        CHECK(thrown);
        CHECK(blocks.n_ends == blocks.n_passes);
    }
}

TEST("where the source fails L-BFGS stays where it is, and goes on from there to the same bits") {
    const std::vector<float> X = data<float>(3000, 20);
    const Arrays<float> p(20, 8, 5, 0.1);
    std::vector<float> start;
    for (const auto* block : {&p.W1, &p.W2, &p.b1, &p.b2}) start.insert(start.end(), block->begin(), block->end());
    const Autoencoder<float> given(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{0.2, 3.0, 1e-3});
    std::vector<float> theta = start, other = start;
    auto blocks = std::make_unique<Blocks<float>>(X, 20, 700);
    Blocks<float>& source = *blocks;
    Lbfgs<float> streamed(theta.data(), std::make_unique<NetworkObjective<float>>(given.problem(), std::move(blocks)),
                          LbfgsOptions{}, 2);
    Lbfgs<float> in_memory(other.data(), std::make_unique<NetworkObjective<float>>(given.problem()), LbfgsOptions{}, 1);
    streamed.start();
    in_memory.start();
    for (int i = 0; i < 12; ++i) {
        const LbfgsStep wanted = in_memory.iterate();
        if (i == 5) {
            source.fails_after = 2000;
            bool thrown = false;
            const std::vector<float> was = theta;
            try {
                streamed.iterate();
            } catch (const std::domain_error&) {
                thrown = true;
            }
            source.fails_after = Size(1) << 40;
            CHECK(thrown && theta == was);
        }
        const LbfgsStep got = streamed.iterate();
        CHECK(got.cost.total() == wanted.cost.total() && got.n_evaluations == wanted.n_evaluations);
        CHECK(theta == other);
    }
}

TEST("an optimiser that takes over the state of another one goes on as that one would") {
    const std::vector<double> X = data<double>(300, 20);
    const Arrays<double> p(20, 8, 5, 0.1);
    std::vector<double> theta;
    for (const auto* block : {&p.W1, &p.W2, &p.b1, &p.b2}) theta.insert(theta.end(), block->begin(), block->end());
    const Autoencoder<double> given(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{0.2, 3.0, 1e-3});
    LbfgsOptions options;
    options.memory = 3;
    Lbfgs<double> first(theta.data(), std::make_unique<NetworkObjective<double>>(given.problem()), options, 1);
    first.start();
    for (int i = 0; i < 8; ++i) {
        std::vector<double> copy = theta;
        Lbfgs<double> second(copy.data(), std::make_unique<NetworkObjective<double>>(given.problem()), options, 1);
        second.restore(first.state());
        CHECK(second.rho_hat() == first.rho_hat());
        for (int k = 0; k < 4; ++k) {
            const LbfgsStep wanted = first.iterate(), got = second.iterate();
            CHECK(got.cost.total() == wanted.cost.total() && got.gradient_max == wanted.gradient_max);
            CHECK(got.n_evaluations == wanted.n_evaluations && copy == theta);
        }
    }
    LbfgsState<double> wrong = first.state();
    wrong.numbers[8] = 4;  // pairs, of which it keeps 3
    bool refused = false;
    try {
        first.restore(wrong);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    CHECK(refused);
}
