#include "sae_fast/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "kernels/kernel_table.hpp"
#include "machine/team.hpp"

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
void Optimizer<T>::step(const Layer<T>* layers, const Layer<const T>* grad, Size n_layers, int n_threads) noexcept {
    const Kernels<T>& k = kernels<T>();
    ++n_steps_;
    const double t = static_cast<double>(n_steps_);
    const T learning_rate = static_cast<T>(rule_.learning_rate);
    const T adam_step = static_cast<T>(rule_.learning_rate / (1 - std::pow(rule_.beta1, t)));
    const T root_correction = static_cast<T>(std::sqrt(1 - std::pow(rule_.beta2, t)));

    // Elements of p, whose state begins at `offset`.
    const auto update = [&](Team team, T* p, const T* g, Size n_elements, Size offset) {
        const Range chunks = team.share((n_elements + kChunk - 1) / kChunk);
        for (Size c = chunks.begin; c < chunks.end; ++c) {
            const Size begin = c * kChunk;
            const Size n = std::min(kChunk, n_elements - begin);
            const Size at = offset + begin;
            if (rule_.solver == Solver::adam)
                k.update_adam(p + begin, first_.data() + at, second_.data() + at, g + begin, n,
                              static_cast<T>(rule_.beta1), static_cast<T>(rule_.beta2), adam_step, root_correction,
                              static_cast<T>(rule_.eps));
            else if (rule_.momentum != 0)
                k.update_momentum(p + begin, first_.data() + at, g + begin, n, learning_rate,
                                  static_cast<T>(rule_.momentum), rule_.nesterov);
            else
                k.update_sgd(p + begin, g + begin, n, learning_rate);
        }
    };
    // An update moves some seven arrays through memory: about 8 multiply-adds' worth an element.
    parallel(team_size(n_threads, 8.0 * static_cast<double>(n_params_)), [&](Team team) {
        Size offset = 0;
        for (Size l = 0; l < n_layers; offset += layers[l].n_in * layers[l].n_out, ++l)
            update(team, layers[l].W, grad[l].W, layers[l].n_in * layers[l].n_out, offset);
        for (Size l = 0; l < n_layers; offset += layers[l].n_out, ++l)
            update(team, layers[l].b, grad[l].b, layers[l].n_out, offset);
    });
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace sae_fast
