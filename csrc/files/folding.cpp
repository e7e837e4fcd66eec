// Compiled without contracting products and sums: each operation rounds as Python's does.
#include "folding.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace sae_fast::files {

double exact_sum(const std::vector<double>& terms) {
    std::vector<double> partials;  // growing in size, none of them overlaps another
    for (double x : terms) {
        std::size_t n = 0;
        for (double y : partials) {
            if (std::fabs(x) < std::fabs(y)) std::swap(x, y);
            const double high = x + y;
            const double low = y - (high - x);
            if (low != 0) partials[n++] = low;
            x = high;
        }
        if (!std::isfinite(x)) return std::numeric_limits<double>::quiet_NaN();
        partials.resize(n);
        if (x != 0) partials.push_back(x);
    }
    if (partials.empty()) return 0;
    double high = partials.back(), low = 0;
    std::size_t n = partials.size() - 1;
    while (n > 0) {
        const double x = high, y = partials[--n];
        high = x + y;
        low = y - (high - x);
        if (low != 0) break;
    }
    // Half-way between two doubles, the next partial says which way to round.
    if (n > 0 && ((low < 0 && partials[n - 1] < 0) || (low > 0 && partials[n - 1] > 0))) {
        const double doubled = 2 * low, x = high + doubled;
        if (doubled == x - high) high = x;
    }
    return high;
}

template <class T>
bool fold(const UnitScale& scale, ModelLayer<T>& layer) {
    const std::size_t n_in = scale.span.size();
    std::vector<double> slope(n_in), start(n_in), starts(n_in), shifts(n_in);
    for (std::size_t i = 0; i < n_in; ++i) {
        const bool constant = scale.span[i] == 0;
        slope[i] = constant ? 0.0 : (scale.high - scale.low) / scale.span[i];
        start[i] = constant ? 0.5 * (scale.low + scale.high) : scale.low;
    }
    bool finite = true;
    for (std::size_t j = 0; j < layer.b.size(); ++j) {
        T* const row = layer.W.data() + j * n_in;
        for (std::size_t i = 0; i < n_in; ++i) {
            const double weight = static_cast<double>(row[i]);
            const double folded = weight * slope[i];
            starts[i] = weight * start[i];
            shifts[i] = folded * scale.minimum[i];
            row[i] = static_cast<T>(folded);
            finite = finite && std::isfinite(row[i]);
        }
        const double shift = exact_sum(starts) - exact_sum(shifts);
        layer.b[j] = static_cast<T>(static_cast<double>(layer.b[j]) + shift);
        finite = finite && std::isfinite(layer.b[j]);
    }
    return finite;
}

template <class T>
bool fold(const UFLDLScale& scale, ModelLayer<T>& layer) {
    const std::size_t n_in = static_cast<std::size_t>(layer.n_in);
    const double slope = scale.limit > 0 ? 0.5 * (scale.high - scale.low) / scale.limit : 0.0;
    const double middle = 0.5 * (scale.high + scale.low);
    std::vector<double> weights(n_in);
    bool finite = true;
    for (std::size_t j = 0; j < layer.b.size(); ++j) {
        T* const row = layer.W.data() + j * n_in;
        for (std::size_t i = 0; i < n_in; ++i) weights[i] = static_cast<double>(row[i]);
        const double sum = exact_sum(weights);
        const double mean = sum / static_cast<double>(n_in);
        for (std::size_t i = 0; i < n_in; ++i) {
            row[i] = static_cast<T>(slope * (weights[i] - mean));
            finite = finite && std::isfinite(row[i]);
        }
        layer.b[j] = static_cast<T>(static_cast<double>(layer.b[j]) + middle * sum);
        finite = finite && std::isfinite(layer.b[j]);
    }
    return finite;
}

template bool fold(const UnitScale&, ModelLayer<float>&);
template bool fold(const UnitScale&, ModelLayer<double>&);
template bool fold(const UFLDLScale&, ModelLayer<float>&);
template bool fold(const UFLDLScale&, ModelLayer<double>&);

}  // namespace sae_fast::files
