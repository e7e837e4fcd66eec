// A call of the core without the GIL, which Ctrl-C can stop.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <optional>
#include <type_traits>

#include "sae_fast/interrupt.hpp"
#include "sae_fast/types.hpp"

namespace sae_fast::bindings {

/// Calls of fewer multiply-adds may keep the GIL: for some microseconds, about the time that it takes to give it away
/// and to get it back from somebody.
constexpr Size kShort = Size(1) << 18;

/// Looks for signals that Python has caught: not before a call has taken 50 ms, then every 50 ms. Python handles them
/// in its main thread alone; a call of another thread is not stopped.
class SignalGate {
public:
    bool asks() noexcept {
        const auto now = std::chrono::steady_clock::now();
        if (!last_) last_ = now;
        if (now - *last_ < std::chrono::milliseconds(50)) return false;
        last_ = now;
        const pybind11::gil_scoped_acquire acquire;
        raised_ = PyErr_CheckSignals() != 0;  // leaves the exception set; it is thrown once the core has returned
        return raised_;
    }
    bool raised() const noexcept { return raised_; }

private:
    std::optional<std::chrono::steady_clock::time_point> last_;
    bool raised_ = false;
};

/// work() without the GIL; where Ctrl-C stopped it, KeyboardInterrupt (or what else the signal's handler raised).
template <class Work>
auto unlocked(Work work) {
    using Result = std::invoke_result_t<Work>;
    SignalGate gate;
    const auto run = [&] {
        const pybind11::gil_scoped_release release;
        const Interrupt interrupt([](void* context) { return static_cast<SignalGate*>(context)->asks(); }, &gate);
        return work();
    };
    if constexpr (std::is_void_v<Result>) {
        run();
        if (gate.raised()) throw pybind11::error_already_set();
    } else {
        Result result = run();
        if (gate.raised()) throw pybind11::error_already_set();
        return result;
    }
}

}  // namespace sae_fast::bindings
