// A team of threads working through the phases of one call: one parallel region, barriers between the phases.
#pragma once

#include <utility>

#include "sae_fast/threads.hpp"
#include "sae_fast/types.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace sae_fast {

/// Told before the first parallel region, so that a forked child knows that its pool is gone.
void note_pool_start() noexcept;

/// Half-open range of items.
struct Range {
    Size begin, end;
};

struct Team {
    int id = 0;
    int n = 1;

    void barrier() const noexcept {
#if defined(_OPENMP)
        if (n > 1) {
#pragma omp barrier
        }
#endif
    }

    /// This member's share of n_items equal items.
    Range share(Size n_items) const noexcept { return {n_items * id / n, n_items * (id + 1) / n}; }
};

/// Calls work(Team) on n_threads threads at once. work must not throw.
template <class Work>
void parallel(int n_threads, Work&& work) noexcept {
#if defined(_OPENMP)
    if (n_threads > 1) {
        note_pool_start();
#pragma omp parallel num_threads(n_threads)
        {
            work(Team{omp_get_thread_num(), omp_get_num_threads()});
        }
        return;
    }
#else
    (void)n_threads;
#endif
    work(Team{});
}

/// Threads for a call that asks for `requested` (0: the default), and no more than the work is worth: each should have
/// some ten microseconds of it. The system is asked only when there is enough for two.
inline int team_size(int requested, double multiply_adds) noexcept {
    constexpr double worth = 3e5;
    const double most = multiply_adds / worth;
    if (most < 2) return 1;
    const int n = num_threads(requested);
    return most < n ? static_cast<int>(most) : n;
}

}  // namespace sae_fast
