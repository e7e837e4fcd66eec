// Encoders one above the other: for production, one row or many. One layer is a stack too.
#pragma once

#include <memory>
#include <vector>

#include "sae_fast/encoder.hpp"

namespace sae_fast {

/// Codes of the last of several layers. Immutable: any number of threads may use one. They are those of Python's
/// Encoder and StackEncoder to the last bit, on the same instruction set, for one row as for many and any number of
/// threads.
template <class T>
class StackEncoder {
public:
    /// A layer may be part of several stacks, and lives as long as one of them.
    using Layers = std::vector<std::shared_ptr<const Encoder<T>>>;

    /// Bottom up, at least one; each takes as many features as the one below has units. Throws std::invalid_argument.
    explicit StackEncoder(Layers layers);
    explicit StackEncoder(std::vector<Encoder<T>> layers);

    Size n_visible() const noexcept { return layers_.front()->n_visible(); }
    Size n_hidden() const noexcept { return layers_.back()->n_hidden(); }
    const Layers& layers() const noexcept { return layers_; }

    /// One row, on the calling thread: x (n_visible,), codes (n_hidden,), which do not overlap. Codes between layers
    /// are kept in memory of the thread (sae_fast/local_workspace.hpp), which a call takes once; false, and nothing
    /// written, if that is not to be had.
    bool encode_one(const T* x, T* codes) const noexcept;
    /// X (n_rows, n_visible), codes (n_rows, n_hidden); n_threads of 0 is the default (sae_fast/threads.hpp). Memory as
    /// for encode_one, for at most 1024 rows.
    bool encode(const T* X, Size n_rows, T* codes, int n_threads = 0) const noexcept;
    /// The same of rows that are so many elements apart, at least n_visible and n_hidden.
    bool encode(const T* X, Size X_stride, Size n_rows, T* codes, Size codes_stride, int n_threads = 0) const noexcept;

private:
    Layers layers_;
    Size between_;  // units of the widest layer but the last
};

}  // namespace sae_fast
