#include "sae_fast/optimizer.hpp"

#include <algorithm>
#include <cmath>

#include "kernel_table.hpp"
#include "team.hpp"

namespace sae_fast {

namespace {
constexpr Size kChunk = 8192;  // elements updated by one thread in one go
}

template <class T>
Optimizer<T>::Optimizer(const Rule& rule, Size n_visible, Size n_hidden) : rule_(rule) {
    const std::size_t n = static_cast<std::size_t>(2 * n_visible * n_hidden + n_visible + n_hidden);
    if (rule.solver == Solver::adam || rule.momentum != 0) first_.resize(n);
    if (rule.solver == Solver::adam) second_.resize(n);
}

template <class T>
void Optimizer<T>::step(const Params<T>& params, const Params<const T>& grad, int n_threads) noexcept {
    const Kernels<T>& k = kernels<T>();
    const Size n_weights = params.n_visible * params.n_hidden;
    T* const p[4] = {params.W1, params.W2, params.b1, params.b2};
    const T* const g[4] = {grad.W1, grad.W2, grad.b1, grad.b2};
    const Size lengths[4] = {n_weights, n_weights, params.n_hidden, params.n_visible};
    ++n_steps_;
    const double t = static_cast<double>(n_steps_);
    const T learning_rate = static_cast<T>(rule_.learning_rate);
    const T adam_step = static_cast<T>(rule_.learning_rate / (1 - std::pow(rule_.beta1, t)));
    const T root_correction = static_cast<T>(std::sqrt(1 - std::pow(rule_.beta2, t)));

    const auto update = [&](int block, Size offset, Size begin, Size n) {
        T* to = p[block] + begin;
        const T* from = g[block] + begin;
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
    parallel(team_size(n_threads, 16.0 * static_cast<double>(n_weights)), [&](Team team) {
        Size offset = 0;
        for (int block = 0; block < 4; ++block) {
            const Range chunks = team.share((lengths[block] + kChunk - 1) / kChunk);
            for (Size c = chunks.begin; c < chunks.end; ++c)
                update(block, offset, c * kChunk, std::min(kChunk, lengths[block] - c * kChunk));
            offset += lengths[block];
        }
    });
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace sae_fast
