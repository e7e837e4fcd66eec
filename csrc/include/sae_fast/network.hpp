// A network of any number of layers: its output, and its cost with gradients. A sparse autoencoder is the network of
// two layers that is compared with its own input.
//
// For a given instruction set every result is bitwise the same for any number of threads: sums over samples are cut by
// the size of the problem and put together in a fixed order.
#pragma once

#include "sae_fast/types.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// What a layer does. All but the last layer are hidden; beta > 0 counts for those alone, and needs a
/// bounded mean.
struct LayerSettings {
    Unit unit = Unit::sigmoid;
    Penalty penalty;
};

template <class T>
struct Network {
    const Layer<T>* layers = nullptr;         // (n_layers,), each n_in the n_out before it
    const LayerSettings* settings = nullptr;  // (n_layers,); the last unit is one that the loss serves
    Size n_layers = 0;
    Loss loss = Loss::squared;
};

/// Hidden units with a mean: the length of Results::rho_hat.
template <class T>
Size n_means(const Network<T>& network) noexcept {
    Size n = 0;
    for (Size l = 0; l + 1 < network.n_layers; ++l)
        n += has_mean(network.settings[l].unit) ? network.layers[l].n_out : 0;
    return n;
}

/// Hidden units: the length of Results::unit_range.
template <class T>
Size n_hidden_units(const Network<T>& network) noexcept {
    Size n = 0;
    for (Size l = 0; l + 1 < network.n_layers; ++l) n += network.layers[l].n_out;
    return n;
}

/// The running mean activation of training (rho_hat_momentum), kept between calls: 4 doubles a unit.
struct RunningMean {
    double momentum = 0;      // in (0, 1)
    double* state = nullptr;  // (n_means, 4): means of s and 1 - s, and their logarithms
    bool started = false;
};

template <class T>
struct Problem {
    Network<const T> network;
    Samples X;
    Samples target;                         // of losses by element: (n_samples, n_out); no data: X itself. Rows as X
    const Size* labels = nullptr;           // of losses by row: (n of X's data,) in 0 ... n_out - 1. Indexed so
    const double* sample_weight = nullptr;  // (n of X's data,), >= 0, sum > 0; null: all 1. Indexed like data
    RunningMean* running = nullptr;         // null: rho_hat is the mean over X
};

/// What evaluate() is to fill; null pointers are left out, and cost nothing.
template <class T>
struct Results {
    const Layer<T>* grad = nullptr;  // (n_layers,)
    T* const* deltas = nullptr;  // (n_layers,): each (n_samples, n_out), times sample weight over mean weight; or null
    double* rho_hat = nullptr;  // (n_means,): mean activations of hidden units, mapped to [0, 1] where they are bounded
    double* unit_range = nullptr;  // (n_hidden_units, 2): smallest and largest activation; NaN if there is one
};

/// Cost (its part `reconstruction` is the loss), and what `results` asks for. Where a layer has a penalty on means,
/// pass 1 leaves the activations of every hidden layer and their means, and pass 2 goes block by block through the
/// output, the deltas and the gradients; else both passes are one. Throws std::bad_alloc before anything
/// is written.
///
///     a_0 = X      z_l = a_{l-1} W_l^T + b_l      a_l = f_l(z_l)      l = 1 ... L
///     J = loss + sum_l weight_decay_l/2 sum W_l^2
///              + sum_{l<L} (beta_l sum_j KL(rho_l || rho_hat_lj) + l1_l/m sum |a_l|)
///     loss = 1/m sum of the losses of all samples, each that of its outputs (see Loss); delta_L its derivative by z_L:
///     squared:  loss = 1/(2m) sum (a_L - target)^2           delta_L = (a_L - target) f_L'(z_L)
///     softmax:  loss = 1/m sum -log p_label, p = softmax(z_L)    delta_L = p - onehot(label)
///     delta_l = (delta_{l+1} W_{l+1} + beta_l (-rho_l/rho_hat_l + (1-rho_l)/(1-rho_hat_l)) ds/da
///                + l1_l sign(a_l)) f_l'(z_l)
///     grad W_l = delta_l^T a_{l-1} / m + weight_decay_l W_l      grad b_l = mean delta_l
///
/// The loss and delta_L of softmax come from the sums of exp(z_j - max z) over the other classes, so that both keep
/// full relative precision where p rounds to 1.
template <class T>
Cost evaluate(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace);

/// Samples that are read again and again from the first one to the last, never all of them in memory.
class SampleSource {
public:
    virtual ~SampleSource() = default;
    /// Begins a pass over all samples.
    virtual void begin() = 0;
    /// The next samples, at least one, of any type and strides, which stay as they are until the next call; or
    /// n_samples = 0 after the last one.
    virtual Samples next() = 0;
    /// Ends a pass, be it complete or not.
    virtual void end() noexcept = 0;
};

/// The same for samples that come from a source, to the bit: X of `problem` says how many there are, and has no data;
/// they are their own target. Takes one pass, and two where a layer has a penalty on means (three where a mean has left
/// the range of the type), in memory that does not depend on how many samples there are. Throws
/// std::invalid_argument for targets, labels, a running mean or deltas, std::runtime_error where a pass has not
/// n_samples samples of n_features, std::bad_alloc, and what the source throws; results are undefined then.
template <class T>
Cost evaluate(const Problem<T>& problem, SampleSource& source, const Results<T>& results, int n_threads,
              Workspace& workspace);

/// out (n_samples, n_out): activations of the last layer, or the classes' probabilities for softmax; rows contiguous
/// and out_stride elements apart. A row's result does not depend on the other rows. n_threads 0: the default. Throws
/// std::bad_alloc.
template <class T>
void forward(const Network<const T>& network, const Samples& X, T* out, Size out_stride, int n_threads,
             Workspace& workspace);

/// The same for one layer; out (n_samples, n_out) = unit(X W^T + b).
template <class T>
void layer_forward(const Layer<const T>& layer, const Samples& X, Unit unit, T* out, Size out_stride, int n_threads,
                   Workspace& workspace);

}  // namespace sae_fast
