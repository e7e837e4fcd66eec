#include "evaluation.hpp"

namespace sae_fast {

template <class T>
Cost evaluate(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace) {
    const auto way = worth_columns(problem, results) ? evaluate_columns<T> : evaluate_rows<T>;
    const Cost cost = way(problem, results, n_threads, workspace);
    if (problem.running != nullptr) problem.running->started = true;
    return cost;
}

template Cost evaluate(const Problem<float>&, const Results<float>&, int, Workspace&);
template Cost evaluate(const Problem<double>&, const Results<double>&, int, Workspace&);

}  // namespace sae_fast
