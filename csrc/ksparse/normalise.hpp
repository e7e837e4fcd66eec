// Each row by itself, before it meets the weights.
#pragma once

#include <algorithm>
#include <cmath>

#include "sae_fast/types.hpp"

namespace sae_fast {

/// x: (n,), finite. False where its size leaves the range of float64, and x is 0 then. A row of zeros stays.
template <class T>
bool normalise(Normalization how, Size n, T* x) noexcept {
    double mean = 0;
    if (how == Normalization::layer) {
        for (Size i = 0; i < n; ++i) mean += static_cast<double>(x[i]);
        mean /= static_cast<double>(n);
    }
    double squares = 0;
    for (Size i = 0; i < n; ++i) {
        const double d = static_cast<double>(x[i]) - mean;
        squares += d * d;
    }
    const bool good = squares - squares == 0;
    double scale = 0;
    if (good && how == Normalization::layer)
        scale = 1 / (std::sqrt(squares / static_cast<double>(std::max(n - 1, Size(1)))) + 1e-5);
    else if (good && squares > 0)
        scale = std::sqrt(static_cast<double>(n)) / std::sqrt(squares);
    for (Size i = 0; i < n; ++i) x[i] = good ? static_cast<T>((static_cast<double>(x[i]) - mean) * scale) : T(0);
    return good;
}

}  // namespace sae_fast
