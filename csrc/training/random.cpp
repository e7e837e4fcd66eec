#include "sae_fast/random.hpp"

#include <utility>

namespace sae_fast {

std::uint64_t SplitMix64::next() noexcept {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

std::uint64_t SplitMix64::below(std::uint64_t n) noexcept {
    // 64 x 64 -> high 64 bits, in halves: no 128-bit type everywhere.
    const std::uint64_t r = next();
    const std::uint64_t r_low = r & 0xFFFFFFFFU;
    const std::uint64_t r_high = r >> 32;
    const std::uint64_t n_low = n & 0xFFFFFFFFU;
    const std::uint64_t n_high = n >> 32;
    const std::uint64_t middle = r_high * n_low + ((r_low * n_low) >> 32);
    const std::uint64_t other = (middle & 0xFFFFFFFFU) + r_low * n_high;
    return r_high * n_high + (middle >> 32) + (other >> 32);
}

void shuffle(Size* rows, Size n, SplitMix64& random) noexcept {
    for (Size i = 0; i < n; ++i) rows[i] = i;
    for (Size i = n - 1; i > 0; --i) std::swap(rows[i], rows[random.below(static_cast<std::uint64_t>(i) + 1)]);
}

}  // namespace sae_fast
