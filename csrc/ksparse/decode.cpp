#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/kernel_table.hpp"
#include "machine/team.hpp"
#include "sae_fast/ksparse.hpp"

namespace sae_fast {

template <class T, class I>
bool fits(const SparseCodes<T, I>& codes, Size n_entries, Size n_latents) noexcept {
    if (codes.starts[0] != 0 || codes.starts[codes.n_rows] != n_entries) return false;
    for (Size r = 0; r < codes.n_rows; ++r)
        if (codes.starts[r] > codes.starts[r + 1]) return false;
    for (Size i = 0; i < n_entries; ++i)
        if (codes.indices[i] < 0 || codes.indices[i] >= n_latents) return false;
    return true;
}

template <class T, class I>
void decode(const SparseCodes<T, I>& codes, const T* W_dec, const T* b_dec, Size n_features, T* out,
            int n_threads) noexcept {
    const Kernels<T>& k = kernels<T>();
    const double work =
        static_cast<double>(codes.starts[codes.n_rows] + codes.n_rows) * static_cast<double>(n_features);
    parallel(team_size(n_threads, work), [&](Team team) {
        team.each(codes.n_rows, 16, [&](Range rows) {
            for (Size r = rows.begin; r < rows.end; ++r) {
                const auto begin = static_cast<Size>(codes.starts[r]);
                const Size n = static_cast<Size>(codes.starts[r + 1]) - begin;
                if (team.stops(n, n_features, 1)) return;
                T* const to = out + r * n_features;
                if constexpr (std::is_same_v<I, int>) {
                    k.gather(b_dec, codes.indices + begin, codes.values + begin, n, W_dec, n_features, n_features, to);
                } else {
                    constexpr Size some = 256;  // indices at a time
                    int narrow[some];
                    const T* base = b_dec;
                    for (Size i = 0; i == 0 || i < n; i += some, base = to) {
                        const Size left = std::min(n - i, some);
                        for (Size j = 0; j < left; ++j) narrow[j] = static_cast<int>(codes.indices[begin + i + j]);
                        k.gather(base, narrow, codes.values + begin + i, left, W_dec, n_features, n_features, to);
                    }
                }
            }
        });
    });
}

#define SAE_FAST_DECODE(T, I)                                          \
    template bool fits(const SparseCodes<T, I>&, Size, Size) noexcept; \
    template void decode(const SparseCodes<T, I>&, const T*, const T*, Size, T*, int) noexcept;
SAE_FAST_DECODE(float, int)
SAE_FAST_DECODE(double, int)
SAE_FAST_DECODE(float, std::int64_t)
SAE_FAST_DECODE(double, std::int64_t)

}  // namespace sae_fast
