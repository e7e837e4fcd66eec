// One call of an L-BFGS optimiser, without the GIL, and what it reports to Python.
#pragma once

#include <pybind11/pybind11.h>

#include "sae_fast/lbfgs.hpp"

namespace sae_fast::bindings {

/// The arrays that the optimiser works on are kept alive by the object that owns it.
template <class Call>
pybind11::tuple lbfgs_report(Call call) {
    LbfgsStep step;
    {
        const pybind11::gil_scoped_release release;
        step = call();
    }
    const Cost& c = step.cost;
    return pybind11::make_tuple(c.total(), c.reconstruction, c.weight_decay, c.sparsity, step.gradient_max,
                                step.n_evaluations, step.status == LbfgsStatus::going);
}

}  // namespace sae_fast::bindings
