// The vocabulary of the core. Rows are samples, matrices are row-major, names follow UFLDL "Autoencoders and
// Sparsity": m = n_samples, z_l = a_{l-1} W_l^T + b_l, a_l = f_l(z_l). In the code, layers are counted from 0.
#pragma once

#include <cstddef>

namespace sae_fast {

using Size = std::ptrdiff_t;

/// Activation of a layer. What kernels know of it is in kernels/units.hpp, all else here.
enum class Unit : int { sigmoid = 0, tanh = 1, linear = 2, relu = 3, satlin = 4 };

struct UnitFacts {
    const char* name;
    double low, high;  // of activations
    double rate;       // (a - low) / (high - low) = sigmoid(rate z); 0: a = z, cut to [low, high]
};

constexpr double kInfinity = __builtin_inf();
constexpr UnitFacts kUnits[] = {
    {"sigmoid", 0, 1, 1},      {"tanh", -1, 1, 2},  {"linear", -kInfinity, kInfinity, 0},
    {"relu", 0, kInfinity, 0}, {"satlin", 0, 1, 0},
};

constexpr const UnitFacts& facts(Unit unit) noexcept { return kUnits[static_cast<int>(unit)]; }

/// Has a unit a mean of s = (a - low) / (high - low), or of a - low where it has no upper bound?
constexpr bool has_mean(Unit unit) noexcept { return facts(unit).low > -kInfinity; }

/// Is that in [0, 1], so that a penalty can hold it at rho?
constexpr bool has_bounded_mean(Unit unit) noexcept { return has_mean(unit) && facts(unit).high < kInfinity; }

/// What the output is compared with: real targets, element by element (kernels/losses.hpp), or, for a whole row, the
/// label of a class (kernels/softmax.hpp).
enum class Loss : int { squared = 0, softmax = 1, absolute = 2, huber = 3, cross_entropy = 4 };

struct LossFacts {
    const char* name;
    double times;      // what its kernel sums is so many times the loss
    bool by_row;       // compared with labels
    unsigned outputs;  // units of the last layer that it serves: a bit for each
};

constexpr unsigned only(Unit unit) noexcept { return 1U << static_cast<int>(unit); }
constexpr unsigned kAnyUnit = ~0U;
constexpr LossFacts kLosses[] = {
    {"squared", 2, false, kAnyUnit},           // e^2 / 2, e = a - target
    {"softmax", 1, true, only(Unit::linear)},  // -log p_label, p = softmax(z)
    {"absolute", 1, false, kAnyUnit},          // |e|
    {"huber", 1, false, kAnyUnit},             // e^2 / 2 where |e| <= 1, else |e| - 1/2
    // -target log a - (1 - target) log(1 - a), NaN where a target is not in [0, 1]
    {"cross_entropy", 1, false, only(Unit::sigmoid)},
};

constexpr const LossFacts& facts(Loss loss) noexcept { return kLosses[static_cast<int>(loss)]; }
constexpr bool serves(Loss loss, Unit output) noexcept { return (facts(loss).outputs & only(output)) != 0; }

/// Which latents a sparse code keeps (include/sae_fast/ksparse.hpp): the k largest of a row, those above one threshold,
/// those above one of their own, or those whose gate is open.
enum class Selection : int { topk = 0, above = 1, above_each = 2, gated = 3 };

/// What is done to a row before it is encoded: nothing, mean 0 and standard deviation 1, or length sqrt(n).
enum class Normalization : int { none = 0, layer = 1, length = 2 };

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

/// Arrays of a layer, parameters or gradients: W (n_out, n_in) and b (n_out,), each contiguous.
template <class T>
struct Layer {
    T* W = nullptr;
    T* b = nullptr;
    Size n_in = 0;
    Size n_out = 0;
};

/// On means over the samples, of hidden layers: rho in (0, 1) is the wanted mean activation, beta >= 0 the weight of
/// its KL penalty. On weights: weight_decay >= 0 is that of the L2 penalty on W. On single activations, of hidden
/// layers: l1 >= 0 is that of the mean over samples of the sum of |a|.
struct Penalty {
    double rho = 0.05;
    double beta = 3.0;
    double weight_decay = 1e-4;
    double l1 = 0;

    bool on_activations() const noexcept { return l1 > 0; }
};

/// J = reconstruction + weight_decay + sparsity, each part with its weight.
struct Cost {
    double reconstruction = 0;
    double weight_decay = 0;
    double sparsity = 0;
    __attribute__((always_inline)) double total() const noexcept { return reconstruction + weight_decay + sparsity; }
};

}  // namespace sae_fast
