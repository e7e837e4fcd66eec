// A long call that ends early because somebody asked for it.
#pragma once

#include <atomic>

namespace sae_fast {

/// While an Interrupt exists, the calls that its thread makes ask it between pieces of work whether they shall go on. A
/// call that was stopped returns early with undefined results, so whoever makes one looks at stopped() afterwards.
///
///     Interrupt interrupt(asks, context);
///     evaluate(problem, results, 0, workspace);
///     if (interrupt.stopped()) ...
class Interrupt {
public:
    /// True ends the call. Called in the thread that made the Interrupt alone, after every 2e7 multiply-adds of that
    /// thread, which are some milliseconds at most; must not throw.
    using Asks = bool (*)(void* context);

    Interrupt(Asks asks, void* context) noexcept;
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }
    /// Shall the work end before the next piece, of so many multiply-adds? For every thread of a team.
    bool stops(double multiply_adds) noexcept;

    /// The innermost one of this thread, or null.
    static Interrupt* current() noexcept;

private:
    Asks asks_;
    void* context_;
    Interrupt* outer_;
    double done_ = 0;  // multiply-adds since the last question
    std::atomic<bool> stopped_{false};
};

/// Shall a sequence of calls, each of them short, end here? Asks at once.
bool interrupts() noexcept;

/// Was a call of this thread stopped, so that its results are undefined?
bool interrupted() noexcept;

}  // namespace sae_fast
