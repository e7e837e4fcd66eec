#include "evaluation.hpp"
#include "schedule.hpp"

namespace sae_fast {

template <class T>
Cost evaluate_rows(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace) {
    const Plan plan(problem, results, n_threads);
    Arena count;
    Scratch<T>(count, plan, problem);
    Arena arena(workspace.reserve(count.used()));
    const Scratch<T> scratch(arena, plan, problem);
    if (problem.sample_weight != nullptr) scale_weights(problem.sample_weight, problem.X, scratch.row_weight);
    const Schedule<T> schedule(problem, results, plan, scratch);
    parallel(plan.n_threads, [&](Team team) { schedule.run(team); });
    return schedule.cost();
}

template Cost evaluate_rows(const Problem<float>&, const Results<float>&, int, Workspace&);
template Cost evaluate_rows(const Problem<double>&, const Results<double>&, int, Workspace&);

}  // namespace sae_fast
