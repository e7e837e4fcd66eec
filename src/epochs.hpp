// What the bindings of both trainers share: rules, reports, and Ctrl-C during work that runs without the GIL, looked
// for at most every 50 ms.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>

#include "sae_fast/train.hpp"

namespace sae_fast::bindings {

class SignalGate {
public:
    bool asks() {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(50)) return false;
        last_ = now;
        const pybind11::gil_scoped_acquire acquire;
        raised_ = PyErr_CheckSignals() != 0;  // leaves the exception set; it is thrown once the core has returned
        return raised_;
    }
    bool raised() const noexcept { return raised_; }
    Interrupt interrupt() noexcept {
        return {[](void* context) { return static_cast<SignalGate*>(context)->asks(); }, this};
    }

private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
    bool raised_ = false;
};

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
