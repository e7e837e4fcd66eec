// The network: one layer, and cost with gradients of the whole.
//
// For a given instruction set every result is bitwise the same for any number of threads: sums over samples are cut by
// the size of the problem and put together in a fixed order.
#pragma once

#include "sae_fast/types.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// out (n_samples, n_out) = unit(X W^T + b); W (n_out, n_in), b (n_out,), out's rows contiguous and out_stride elements
/// apart. n_threads 0: the default. Throws std::bad_alloc. A row's result does not depend on the other rows.
template <class T>
void layer_forward(const T* W, const T* b, Size n_out, const Samples& X, Unit unit, T* out, Size out_stride,
                   int n_threads, Workspace& workspace);

/// The running mean activation of training (rho_hat_momentum), kept between calls: 4 doubles a unit.
struct RunningMean {
    double momentum = 0;      // in (0, 1)
    double* state = nullptr;  // (n_hidden, 4): means of s and 1 - s, and their logarithms
    bool started = false;
};

template <class T>
struct Problem {
    Params<const T> params;
    Samples X;
    const double* sample_weight = nullptr;  // (n of X's data,), >= 0, sum > 0; null: all 1. Indexed like data.
    Unit hidden = Unit::sigmoid;
    Unit output = Unit::sigmoid;
    Penalty penalty;
    RunningMean* running = nullptr;  // null: rho_hat is the mean over X
};

/// What evaluate() is to fill; null pointers are left out.
template <class T>
struct Results {
    Params<T>* grad = nullptr;
    T* delta3 = nullptr;        // (n_samples, n_visible); rows carry their sample weight over the mean weight
    T* delta2 = nullptr;        // (n_samples, n_hidden)
    double* rho_hat = nullptr;  // (n_hidden,)
};

/// Cost, and what `results` asks for, in two passes over X: pass 1 leaves the activations and their means, pass 2 goes
/// block by block through a3, delta3, delta2 and the gradients. Throws std::bad_alloc before anything is written.
///
///     J = 1/(2m) sum (a3 - X)^2 + weight_decay/2 (sum W1^2 + sum W2^2) + beta sum_j KL(rho || rho_hat_j)
///     delta3 = (a3 - X) g'(z3)
///     delta2 = (delta3 W2 + beta (-rho/rho_hat + (1-rho)/(1-rho_hat)) ds/da) f'(z2)
///     grad W1 = delta2^T X / m + weight_decay W1      grad b1 = mean delta2
///     grad W2 = delta3^T a2 / m + weight_decay W2     grad b2 = mean delta3
template <class T>
Cost evaluate(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace);

}  // namespace sae_fast
