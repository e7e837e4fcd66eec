// A network of any number of layers: cost with gradients, and the output alone.
//
// Exactness and determinism are those of network.hpp: saturated units lose nothing, and for a given instruction set
// every result is bitwise the same for any number of threads.
#pragma once

#include "sae_fast/types.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// W (n_out, n_in), b (n_out,), each contiguous.
template <class T>
struct DeepLayer {
    T* W = nullptr;
    T* b = nullptr;
    Size n_in = 0;
    Size n_out = 0;
};

/// What the output is compared with: real targets, or the label of a class.
enum class Loss : int { squared = 0, softmax = 1 };

template <class T>
struct DeepProblem {
    const DeepLayer<const T>* layers = nullptr;  // (n_layers,), each n_in the n_out before it
    const Unit* units = nullptr;                 // (n_layers,); with softmax the last is linear
    const Penalty* penalties = nullptr;          // (n_layers,); beta > 0 only for sigmoid and tanh hidden layers
    Size n_layers = 0;
    Loss loss = Loss::squared;
    Samples X;
    Samples target;                         // squared: (n_samples, n_out); no data: X itself. Rows as X has them
    const Size* labels = nullptr;           // softmax: (n of X's data,) in 0 ... n_out - 1. Indexed like data
    const double* sample_weight = nullptr;  // (n of X's data,), >= 0, sum > 0; null: all 1. Indexed like data
};

/// What deep_evaluate() is to fill; null pointers are left out.
template <class T>
struct DeepResults {
    const DeepLayer<T>* grad = nullptr;  // (n_layers,)
    double* rho_hat = nullptr;           // mean activations, mapped to [0, 1], of all sigmoid and tanh hidden units
};

/// Number of sigmoid and tanh hidden units: the length of DeepResults::rho_hat.
template <class T>
Size n_mapped_units(const DeepLayer<T>* layers, const Unit* units, Size n_layers) noexcept {
    Size n = 0;
    for (Size l = 0; l + 1 < n_layers; ++l) n += units[l] == Unit::linear ? 0 : layers[l].n_out;
    return n;
}

/// Cost (its part `reconstruction` is the loss), and what `results` asks for. Where a layer has a sparsity penalty,
/// pass 1 leaves the activations of every hidden layer and their means, and pass 2 goes block by block through the
/// output, the deltas and the gradients; without a penalty both passes are one. Throws std::bad_alloc before anything
/// is written.
///
///     a_0 = X      z_l = a_{l-1} W_l^T + b_l      a_l = f_l(z_l)      l = 1 ... L
///     J = loss + sum_l weight_decay_l/2 sum W_l^2 + sum_{l<L} beta_l sum_j KL(rho_l || rho_hat_lj)
///     squared:  loss = 1/(2m) sum (a_L - target)^2           delta_L = (a_L - target) f_L'(z_L)
///     softmax:  loss = 1/m sum -log p_label, p = softmax(z_L)    delta_L = p - onehot(label)
///     delta_l = (delta_{l+1} W_{l+1} + beta_l (-rho_l/rho_hat_l + (1-rho_l)/(1-rho_hat_l)) ds/da) f_l'(z_l)
///     grad W_l = delta_l^T a_{l-1} / m + weight_decay_l W_l      grad b_l = mean delta_l
///
/// The loss and delta_L of softmax come from the sums of exp(z_j - max z) over the other classes, so that both keep
/// full relative precision where p rounds to 1.
template <class T>
Cost deep_evaluate(const DeepProblem<T>& problem, const DeepResults<T>& results, int n_threads, Workspace& workspace);

/// out (n_samples, n_out): activations of the last layer, or the classes' probabilities for softmax; rows contiguous
/// and out_stride elements apart. A row's result does not depend on the other rows. Throws std::bad_alloc.
template <class T>
void deep_forward(const DeepLayer<const T>* layers, const Unit* units, Size n_layers, Loss loss, const Samples& X,
                  T* out, Size out_stride, int n_threads, Workspace& workspace);

}  // namespace sae_fast
