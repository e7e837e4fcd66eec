// One call of an L-BFGS optimiser, without the GIL, and what it reports to Python.
#pragma once

#include <pybind11/pybind11.h>

#include "object.hpp"
#include "sae_fast/lbfgs.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

/// The arrays that the optimiser works on are kept alive by the object that owns it, which makes one call at a time.
template <class Call>
pybind11::tuple lbfgs_report(const Exclusive& optimizer, Call call) {
    const LbfgsStep step = unlocked([&] { return optimizer.alone(call); });
    const Cost& c = step.cost;
    return pybind11::make_tuple(c.total(), c.reconstruction, c.weight_decay, c.sparsity, step.gradient_max,
                                step.n_evaluations, step.status == LbfgsStatus::going);
}

}  // namespace sae_fast::bindings
