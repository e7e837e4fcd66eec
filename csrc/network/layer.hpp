// One layer with packed weights, as encode, decode and Encoder use it.
#pragma once

#include <algorithm>

#include "kernels/kernel_table.hpp"
#include "machine/machine.hpp"
#include "machine/team.hpp"
#include "sae_fast/workspace.hpp"
#include "samples.hpp"

namespace sae_fast {

/// W: panels of the outputs, made by pack_transposed; bias: that of `repeat_bias`.
template <class T>
struct PackedLayer {
    PanelSplit split;
    Size n_in;
    const T* W;
    const T* bias;
    Unit unit;
};

/// May rows of outputs be computed side by side, without the padding between them?
inline bool is_dense(const PanelSplit& split) noexcept { return split.shared && split.count() == 1; }

/// Elements of the bias of a packed layer: whole vectors, and if it is dense, of as many rows as are whole vectors.
inline Size repeated_bias(const PanelSplit& split) noexcept {
    return is_dense(split) ? split.lanes * split.n : split.padded();
}

template <class T>
void repeat_bias(const T* b, const PanelSplit& split, T* bias) noexcept {
    const Size n = repeated_bias(split);
    for (Size j = 0; j < n; j += split.n) std::copy(b, b + std::min(split.n, n - j), bias + j);
}

/// Memory for samples that a product cannot read where they lie; null where it can.
template <class T>
struct StripBuffer {
    T* strips = nullptr;  // (n_threads, kStrip, padded n_in)
    T* rows = nullptr;    // (n_threads, n_in)

    StripBuffer() = default;
    StripBuffer(Arena& arena, const PanelSplit& in, int n_threads) noexcept
        : strips(arena.take<T>(n_threads * kStrip * in.padded())), rows(arena.take<T>(n_threads * in.n)) {}
};

/// Threads for a layer on n_samples rows.
inline int layer_team_size(int requested, Size n_samples, Size n_in, Size n_out) noexcept {
    return team_size(requested,
                     static_cast<double>(n_samples) * static_cast<double>(n_in) * static_cast<double>(n_out));
}

/// This member's part. No result depends on how the work is cut, so it is cut by the number of threads: a few rows by
/// panels of outputs, many by rows.
template <class T>
void apply_layer(Team team, const PackedLayer<T>& layer, const Samples& X, T* out, Size out_stride,
                 const StripBuffer<T>& buffer) noexcept;

}  // namespace sae_fast
