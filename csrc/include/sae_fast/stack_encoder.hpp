// Layers of a trained stack, their weights packed once; one layer is a stack too.
#pragma once

#include <vector>

#include "sae_fast/encoder.hpp"

namespace sae_fast {

/// Immutable: any number of threads may use one. Codes are those of Python's Encoder and StackEncoder to the last bit,
/// on the same instruction set, for one row as for many and for any number of threads.
template <class T>
class StackEncoder {
public:
    /// Bottom up, at least one; each takes as many features as the one below has units.
    explicit StackEncoder(std::vector<Encoder<T>> layers) noexcept : layers_(std::move(layers)) {}

    Size n_visible() const noexcept { return layers_.front().n_visible(); }
    Size n_hidden() const noexcept { return layers_.back().n_hidden(); }
    const std::vector<Encoder<T>>& layers() const noexcept { return layers_; }

    /// One row: x (n_visible,), codes (n_hidden,), which do not overlap. Takes no other thread, and no memory but where
    /// a layer below the last has more than 2048 units; false, and nothing written, if that is not to be had.
    bool encode_one(const T* x, T* codes) const noexcept;
    /// X (n_rows, n_visible), codes (n_rows, n_hidden), both contiguous; n_threads of 0 is the default
    /// (sae_fast/threads.hpp). Takes memory for the codes between two layers, of 4096 rows at most, and none for a
    /// single layer; false if it is not to be had.
    bool encode(const T* X, Size n_rows, T* codes, int n_threads = 0) const noexcept;

private:
    std::vector<Encoder<T>> layers_;
};

}  // namespace sae_fast
