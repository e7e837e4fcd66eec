// The caller's data, whatever its type and strides, as rows of panels.
#pragma once

#include "kernels/kernel_table.hpp"

namespace sae_fast {

/// The samples from `begin` on as they lie, where a product can read them so; else ld is 0.
template <class T>
Left<T> plain_rows(const Samples& X, Size begin) noexcept;

/// Samples begin ... begin + n_rows - 1 into the rows row0 ... of panels with room for `capacity` rows.
/// buffer: n_features elements.
template <class T>
void pack_samples(const Samples& X, Size begin, Size n_rows, T* panels, Size capacity, Size row0, T* buffer) noexcept;

/// One sample, converted: row (n_features,).
template <class T>
void read_sample(const Samples& X, Size i, T* row) noexcept;

/// What scales sample weights of these rows to a mean of 1.
double weight_factor(const double* weight, const Samples& X) noexcept;

/// Sample weights of these rows, scaled to a mean of 1: scaled (n_samples,).
template <class T>
void scale_weights(const double* weight, const Samples& X, T* scaled) noexcept;

}  // namespace sae_fast
