#include "sae_fast/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "kernel_table.hpp"
#include "team.hpp"

namespace sae_fast {

namespace {
constexpr Size kChunk = 8192;  // elements updated by one thread in one go
}

template <class T>
Optimizer<T>::Optimizer(const Rule& rule, Size n_params) : rule_(rule), n_params_(n_params) {
    const auto n = static_cast<std::size_t>(n_params);
    if (rule.solver == Solver::adam || rule.momentum != 0) first_.resize(n);
    if (rule.solver == Solver::adam) second_.resize(n);
}

template <class T>
void Optimizer<T>::set_rule(const Rule& rule) {
    if (rule.solver != rule_.solver) throw std::invalid_argument("solver must stay the same");
    if (rule.solver == Solver::sgd) {
        if (rule.momentum == 0)
            first_.clear();  // a velocity that is not kept up would be a stale one
        else if (first_.empty())
            first_.resize(static_cast<std::size_t>(n_params_));
    }
    rule_ = rule;
}

template <class T>
void Optimizer<T>::restore(Size n_steps, std::vector<T> first, std::vector<T> second) {
    if (n_steps < 0 || first.size() != first_.size() || second.size() != second_.size())
        throw std::invalid_argument("the state must be that of an optimiser of the same rule and sizes");
    n_steps_ = n_steps;
    first_ = std::move(first);
    second_ = std::move(second);
}

template <class T>
void Optimizer<T>::step(const Params<T>& params, const Params<const T>& grad, int n_threads) noexcept {
    const Size n_weights = params.n_visible * params.n_hidden;
    const ParamBlock<T> blocks[4] = {{params.W1, grad.W1, n_weights},
                                     {params.W2, grad.W2, n_weights},
                                     {params.b1, grad.b1, params.n_hidden},
                                     {params.b2, grad.b2, params.n_visible}};
    step(blocks, 4, n_threads);
}

template <class T>
void Optimizer<T>::step(const ParamBlock<T>* blocks, Size n_blocks, int n_threads) noexcept {
    const Kernels<T>& k = kernels<T>();
    Size n_params = 0;
    for (Size i = 0; i < n_blocks; ++i) n_params += blocks[i].n;
    ++n_steps_;
    const double t = static_cast<double>(n_steps_);
    const T learning_rate = static_cast<T>(rule_.learning_rate);
    const T adam_step = static_cast<T>(rule_.learning_rate / (1 - std::pow(rule_.beta1, t)));
    const T root_correction = static_cast<T>(std::sqrt(1 - std::pow(rule_.beta2, t)));

    const auto update = [&](const ParamBlock<T>& block, Size offset, Size begin, Size n) {
        T* to = block.p + begin;
        const T* from = block.g + begin;
        const Size at = offset + begin;
        if (rule_.solver == Solver::adam)
            k.update_adam(to, first_.data() + at, second_.data() + at, from, n, static_cast<T>(rule_.beta1),
                          static_cast<T>(rule_.beta2), adam_step, root_correction, static_cast<T>(rule_.eps));
        else if (rule_.momentum != 0)
            k.update_momentum(to, first_.data() + at, from, n, learning_rate, static_cast<T>(rule_.momentum),
                              rule_.nesterov);
        else
            k.update_sgd(to, from, n, learning_rate);
    };
    // An update moves some seven arrays through memory: about 8 multiply-adds' worth an element.
    parallel(team_size(n_threads, 8.0 * static_cast<double>(n_params)), [&](Team team) {
        Size offset = 0;
        for (Size i = 0; i < n_blocks; ++i) {
            const ParamBlock<T>& block = blocks[i];
            const Range chunks = team.share((block.n + kChunk - 1) / kChunk);
            for (Size c = chunks.begin; c < chunks.end; ++c)
                update(block, offset, c * kChunk, std::min(kChunk, block.n - c * kChunk));
            offset += block.n;
        }
    });
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace sae_fast
