// What the bindings of both trainers share: rules and reports.
#pragma once

#include <pybind11/pybind11.h>

#include "sae_fast/train.hpp"

namespace sae_fast::bindings {

inline Rule rule_of(const pybind11::dict& d) {
    return {static_cast<Solver>(d["solver"].cast<int>()),
            d["learning_rate"].cast<double>(),
            d["momentum"].cast<double>(),
            d["nesterov"].cast<bool>(),
            d["beta1"].cast<double>(),
            d["beta2"].cast<double>(),
            d["eps"].cast<double>()};
}

/// What an epoch reports: the parts of the cost and the mean activation.
inline pybind11::tuple report_of(const EpochSummary& summary) {
    return pybind11::make_tuple(summary.cost.reconstruction, summary.cost.weight_decay, summary.cost.sparsity,
                                summary.mean_activation);
}

}  // namespace sae_fast::bindings
