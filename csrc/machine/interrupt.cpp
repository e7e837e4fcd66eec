#include "sae_fast/interrupt.hpp"

namespace sae_fast {

namespace {

constexpr double kPatience = 2e7;  // multiply-adds between two questions

// Of each thread the call that it is in; nothing that one thread does is seen by another one.
thread_local Interrupt* innermost = nullptr;

}  // namespace

Interrupt::Interrupt(Asks asks, void* context) noexcept : asks_(asks), context_(context), outer_(innermost) {
    innermost = this;
}

Interrupt::~Interrupt() { innermost = outer_; }

Interrupt* Interrupt::current() noexcept { return innermost; }

bool Interrupt::stops(double multiply_adds) noexcept {
    if (stopped()) return true;
    if (innermost != this) return false;  // another member of the team, which is told
    done_ += multiply_adds;
    if (done_ < kPatience) return false;
    done_ = 0;
    if (!asks_(context_)) return false;
    stopped_.store(true, std::memory_order_relaxed);
    return true;
}

bool interrupts() noexcept { return innermost != nullptr && innermost->stops(kPatience); }

bool interrupted() noexcept { return innermost != nullptr && innermost->stopped(); }

}  // namespace sae_fast
