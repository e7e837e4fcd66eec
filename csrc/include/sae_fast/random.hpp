// The generator behind shuffling: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
// OOPSLA 2014), the same numbers on every platform.
#pragma once

#include <cstdint>

#include "sae_fast/types.hpp"

namespace sae_fast {

class SplitMix64 {
public:
    explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}
    std::uint64_t next() noexcept;
    /// Uniform in 0 ... n - 1: the high half of next() * n.
    std::uint64_t below(std::uint64_t n) noexcept;
    /// The seed of a generator that goes on from here.
    std::uint64_t state() const noexcept { return state_; }

private:
    std::uint64_t state_;
};

/// rows becomes a permutation of 0 ... n - 1: Fisher-Yates from the last element down, on the identity.
void shuffle(Size* rows, Size n, SplitMix64& random) noexcept;

}  // namespace sae_fast
