// A trained encoder with its weights packed once: for production, one row or many.
#pragma once

#include <vector>

#include "sae_fast/types.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// a2 = f(X W1^T + b1). Immutable: any number of threads may use one encoder. Its codes are those of layer_forward to
/// the last bit, for one row as for many.
template <class T>
class Encoder {
public:
    /// W1: (n_hidden, n_visible), b1: (n_hidden,); both are copied. Throws std::bad_alloc.
    Encoder(const T* W1, const T* b1, Size n_visible, Size n_hidden, Unit hidden);

    Size n_visible() const noexcept { return n_visible_; }
    Size n_hidden() const noexcept { return n_hidden_; }

    /// out: (n_samples, n_hidden), rows contiguous and out_stride elements apart. Takes memory only for samples of
    /// another type or with gaps between their features; throws std::bad_alloc then.
    void encode(const Samples& X, T* out, Size out_stride, int n_threads, Workspace& workspace) const;
    /// One row: x (n_visible,), out (n_hidden,). Takes no memory and no other thread.
    void encode_one(const T* x, T* out) const noexcept;

private:
    Size n_visible_, n_hidden_;
    Unit hidden_;
    Workspace memory_;
    const T *W1_t_, *b1_;
};

}  // namespace sae_fast
