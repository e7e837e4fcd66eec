// Limited-memory BFGS for any objective: parameters and pairs in T, every scalar in double.
//
// The direction is that of Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.4, computed from inner
// products of the stored vectors (Chen et al., "Large-scale L-BFGS using MapReduce", NIPS 2014): one pass over the
// pairs for the products, one for the direction, each parallel and with a fixed order of summation. The line search
// looks for the strong Wolfe conditions (algorithms 3.5 and 3.6, cubic interpolation); where rounding of J hides the
// decrease it takes the approximate ones of Hager and Zhang (SIAM J. Optim. 16, 2005).
#pragma once

#include <memory>
#include <vector>

#include "sae_fast/objective.hpp"

namespace sae_fast {

struct LbfgsOptions {
    int memory = 20;           // pairs kept
    double decrease = 1e-4;    // first Wolfe condition
    double curvature = 0.9;    // second Wolfe condition
    int max_evaluations = 20;  // of one line search
    bool unit_range = false;   // are the ranges of hidden units wanted?
};

enum class LbfgsStatus : int { going = 0, stalled = 1 };

/// Where the optimiser stands after a step.
struct LbfgsStep {
    Cost cost;
    double gradient_max = 0;  // largest absolute entry of the gradient
    int n_evaluations = 0;    // so far
    LbfgsStatus status = LbfgsStatus::going;
};

/// All that iterate() goes on from, besides theta.
template <class T>
struct LbfgsState {
    std::vector<T> vectors;       // gradient and pairs
    std::vector<double> numbers;  // scalars, inner products, means and ranges
};

template <class T>
class Lbfgs {
public:
    /// theta: the objective's parameters, updated in place by iterate() and owned by the caller. Throws
    /// std::bad_alloc.
    Lbfgs(T* theta, std::unique_ptr<Objective<T>> objective, const LbfgsOptions& options, int n_threads);

    /// Cost and gradient at the start.
    LbfgsStep start();
    /// One iteration: theta moves to a point that the line search accepts, or stays with status `stalled`; it also
    /// stays where an Interrupt stopped the call, or the objective throws, and nothing of the iteration is left then.
    LbfgsStep iterate();
    /// What another optimiser of the same objective and options takes over in place of start(), to go on as this one
    /// would, to the bit, from the same theta. Both throw std::bad_alloc, restore() std::invalid_argument for a state
    /// of other sizes.
    LbfgsState<T> state() const;
    void restore(const LbfgsState<T>& state);
    /// Mean activations at theta.
    const std::vector<double>& rho_hat() const noexcept { return rho_hat_; }
    /// (n_hidden_units, 2): smallest and largest activations at theta, if LbfgsOptions asked for them.
    const std::vector<double>& unit_range() const noexcept { return unit_range_; }

private:
    struct Point {
        double step, value, slope;
    };
    Point probe(double step);
    void advance();
    bool search(double first_step);
    bool zoom(Point low, Point high);
    bool accepts(const Point& p) const noexcept;
    void remember();
    void direction();
    double steepest() noexcept;
    double dot(const T* a, const T* b) noexcept;
    Size slot(Size i) const noexcept { return (oldest_ + i) % options_.memory; }
    T* s(Size i) noexcept { return pairs_.data() + 2 * slot(i) * n_; }
    T* y(Size i) noexcept { return s(i) + n_; }
    double& sy(Size i, Size j) noexcept { return sy_[static_cast<std::size_t>(slot(i) * options_.memory + slot(j))]; }
    double& yy(Size i, Size j) noexcept { return yy_[static_cast<std::size_t>(slot(i) * options_.memory + slot(j))]; }

    T* theta_;
    std::unique_ptr<Objective<T>> objective_;
    LbfgsOptions options_;
    int n_threads_;
    Size n_;
    std::vector<T> trial_, gradient_, trial_gradient_, direction_, pairs_;
    std::vector<double> sy_, yy_, sg_, yg_, alpha_, of_s_, partial_, rho_hat_, trial_rho_hat_, unit_range_,
        trial_unit_range_;
    Size oldest_ = 0, n_pairs_ = 0;
    double value_ = 0, slope_ = 0;
    Cost trial_cost_;
    LbfgsStep step_;
    int search_left_ = 0;
};

}  // namespace sae_fast
