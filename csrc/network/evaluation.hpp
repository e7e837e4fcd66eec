// The two ways of an evaluation, which one a problem takes, and what evaluate() does for both.
#pragma once

#include "sae_fast/network.hpp"

namespace sae_fast {

/// Samples as the rows of all matrices: weights are packed, samples read strip by strip.
template <class T>
Cost evaluate_rows(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace);

/// Samples as the columns of all matrices: weights are read where they lie, samples are transposed.
template <class T>
Cost evaluate_columns(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace);

/// Are columns the faster way? A matter of the problem's size alone.
template <class T>
bool worth_columns(const Problem<T>& problem, const Results<T>& results) noexcept;

/// Multiply-adds of the products of m samples, by which a team is chosen.
template <class T>
double multiply_adds(const Network<const T>& network, Size m, bool backward) noexcept {
    Size n = 0;
    for (Size l = 0; l < network.n_layers; ++l)
        n += (!backward ? 1 : l == 0 ? 2 : 3) * network.layers[l].n_in * network.layers[l].n_out;
    return static_cast<double>(m) * static_cast<double>(n);
}

}  // namespace sae_fast
