// Cost and gradients of few samples, which are then the columns of all matrices.
#pragma once

#include "kernel_table.hpp"
#include "sae_fast/network.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// Is that the faster way? A matter of the problem's size alone.
template <class T>
bool worth_columns(const Problem<T>& problem, const Results<T>& results) noexcept;

/// What evaluate() promises, on n_threads threads.
template <class T>
Cost evaluate_columns(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace);

}  // namespace sae_fast
