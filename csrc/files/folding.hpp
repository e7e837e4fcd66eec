// A layer takes the scaling of its data over, as sae_fast/network/_scale.py does it, to the last bit.
#pragma once

#include <vector>

#include "sae_fast/model_file.hpp"

namespace sae_fast::files {

/// low + (high - low) (x - minimum) / span; a feature of span 0 is constant, and becomes the middle.
struct UnitScale {
    double low, high;
    std::vector<double> minimum, span;
};

/// Each sample less its own mean, divided by limit and mapped to [low, high]; at limit 0 all is the middle. The cut at
/// +-limit is left out.
struct UFLDLScale {
    double low, high, limit;
};

/// False if weights of this type cannot take it over: they, or sums on the way, are not finite.
template <class T>
bool fold(const UnitScale& scale, ModelLayer<T>& layer);
template <class T>
bool fold(const UFLDLScale& scale, ModelLayer<T>& layer);

/// The double nearest to the sum of the terms without any rounding, as Python's math.fsum gives it (Shewchuk, "Adaptive
/// Precision Floating-Point Arithmetic", 1997: partial sums that do not overlap). NaN where one of the terms, or a sum
/// on the way, is not finite.
double exact_sum(const std::vector<double>& terms);

}  // namespace sae_fast::files
