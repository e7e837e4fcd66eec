// The vocabulary of the core. Rows are samples, matrices are row-major, names follow UFLDL "Autoencoders and
// Sparsity": m = n_samples, a2 = f(X W1^T + b1), a3 = g(a2 W2^T + b2).
#pragma once

#include <cstddef>

namespace sae_fast {

using Size = std::ptrdiff_t;

/// Activation of a layer. The hidden layer takes sigmoid or tanh, the output layer any.
enum class Unit : int { sigmoid = 0, tanh = 1, linear = 2 };

/// What becomes of the codes in a cell of a map.
enum class Pooling : int { mean = 0, max = 1 };

/// Type of the elements of Samples; float16 is IEEE half precision.
enum class DType : int { float32, float64, float16, int8, int16, int32, int64, uint8, uint16, uint32, uint64 };

/// Data as the caller has it: any of the types above, any strides (in bytes, also negative or zero).
/// It is converted block by block to the type of the work.
struct Samples {
    const void* data = nullptr;
    DType dtype = DType::float64;
    Size n_samples = 0;
    Size n_features = 0;
    Size row_stride = 0;         // bytes
    Size column_stride = 0;      // bytes
    const Size* rows = nullptr;  // sample i is row rows[i] of data; null: row i
};

/// W1 (n_hidden, n_visible), b1 (n_hidden,), W2 (n_visible, n_hidden), b2 (n_visible,), each contiguous.
template <class T>
struct Params {
    T* W1 = nullptr;
    T* b1 = nullptr;
    T* W2 = nullptr;
    T* b2 = nullptr;
    Size n_visible = 0;
    Size n_hidden = 0;
};

/// rho in (0, 1): wanted mean activation. beta >= 0: weight of its KL penalty. weight_decay >= 0: weight of the L2
/// penalty on W1 and W2.
struct Penalty {
    double rho = 0.05;
    double beta = 3.0;
    double weight_decay = 1e-4;
};

/// J = reconstruction + weight_decay + sparsity, each part with its weight.
struct Cost {
    double reconstruction = 0;
    double weight_decay = 0;
    double sparsity = 0;
    __attribute__((always_inline)) double total() const noexcept { return reconstruction + weight_decay + sparsity; }
};

}  // namespace sae_fast
