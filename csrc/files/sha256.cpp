#include "sha256.hpp"

#include <algorithm>
#include <cstring>

namespace sae_fast::files {

namespace {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr std::uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

constexpr std::uint32_t turned(std::uint32_t x, int n) noexcept { return (x >> n) | (x << (32 - n)); }

}  // namespace

void Sha256::add(const unsigned char* block) noexcept {
    std::uint32_t w[64];
    for (int t = 0; t < 16; ++t, block += 4)
        w[t] = std::uint32_t(block[0]) << 24 | std::uint32_t(block[1]) << 16 | std::uint32_t(block[2]) << 8 | block[3];
    for (int t = 16; t < 64; ++t) {
        const std::uint32_t s0 = turned(w[t - 15], 7) ^ turned(w[t - 15], 18) ^ (w[t - 15] >> 3);
        const std::uint32_t s1 = turned(w[t - 2], 17) ^ turned(w[t - 2], 19) ^ (w[t - 2] >> 10);
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (int t = 0; t < 64; ++t) {
        const std::uint32_t s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
        const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
        const std::uint32_t s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
        const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const std::uint32_t added[8] = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state_[i] += added[i];
}

void Sha256::update(std::string_view bytes) noexcept {
    const unsigned char* p = reinterpret_cast<const unsigned char*>(bytes.data());
    std::size_t n = bytes.size(), held = static_cast<std::size_t>(n_bytes_ % kBlock);
    n_bytes_ += n;
    if (held > 0) {
        const std::size_t taken = std::min(kBlock - held, n);
        std::copy(p, p + taken, rest_.begin() + static_cast<std::ptrdiff_t>(held));
        p += taken, n -= taken;
        if (held + taken < kBlock) return;
        add(rest_.data());
    }
    for (; n >= kBlock; p += kBlock, n -= kBlock) add(p);
    std::copy(p, p + n, rest_.begin());
}

std::string Sha256::hex_digest() {
    const std::uint64_t n_bits = n_bytes_ * 8;
    const std::size_t held = static_cast<std::size_t>(n_bytes_ % kBlock);
    std::string padding(held < kBlock - 8 ? kBlock - held : 2 * kBlock - held, '\0');
    padding[0] = '\x80';
    for (std::size_t i = 0; i < 8; ++i) padding[padding.size() - 1 - i] = static_cast<char>(n_bits >> (8 * i) & 0xff);
    update(padding);
    std::string digits;
    for (const std::uint32_t word : state_)
        for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[word >> shift & 0xf];
    return digits;
}

}  // namespace sae_fast::files
