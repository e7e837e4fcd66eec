// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sae_fast::files {

class Sha256 {
public:
    void update(std::string_view bytes) noexcept;
    /// 64 hexadecimal digits; nothing may be added afterwards.
    std::string hex_digest();

private:
    static constexpr std::size_t kBlock = 64;

    void add(const unsigned char* block) noexcept;

    std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<unsigned char, kBlock> rest_{};
    std::uint64_t n_bytes_ = 0;
};

}  // namespace sae_fast::files
