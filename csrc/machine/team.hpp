// A team of threads working through the phases of one call: one parallel region, barriers between the phases.
#pragma once

#include "sae_fast/interrupt.hpp"
#include "sae_fast/threads.hpp"
#include "sae_fast/types.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace sae_fast {

/// Told before OpenMP creates threads, so that a forked child knows that its pool is gone.
void note_pool_start() noexcept;

/// Before a parallel region of this thread: the members that it can have, at most n. Where OpenMP will have to create
/// threads, it has been tried out, as many were to be had, and nobody else takes them until settle_team().
int raise_team(int n) noexcept;
/// In the region, by the member that asked: OpenMP's threads are there.
void settle_team() noexcept;

/// Half-open range of items.
struct Range {
    Size begin, end;
};

struct Team {
    int id = 0;
    int n = 1;
    Interrupt* interrupt = Interrupt::current();  // of the thread that made the call; null: nothing stops it

    /// Shall this member leave out the next piece, of so many multiply-adds, and all after it? The call's results are
    /// undefined then. Members hear of it at different times: none may leave out a barrier, or rely on what another one
    /// should have left.
    bool stops(double multiply_adds) const noexcept { return interrupt != nullptr && interrupt->stops(multiply_adds); }
    bool stops(Size n_rows, Size n_in, Size n_out) const noexcept {
        return interrupt != nullptr &&
               interrupt->stops(static_cast<double>(n_rows) * static_cast<double>(n_in) * static_cast<double>(n_out));
    }

    void barrier() const noexcept {
#if defined(_OPENMP)
        if (n > 1) {
#pragma omp barrier
        }
#endif
    }

    /// This member by itself.
    Team alone() const noexcept { return {0, 1, interrupt}; }

    /// This member's share of n_items equal items.
    Range share(Size n_items) const noexcept { return {n_items * id / n, n_items * (id + 1) / n}; }
};

/// Calls work(Team) on n_threads threads at once, or on as many as the system has to give. work must not throw.
template <class Work>
void parallel(int n_threads, Work&& work) noexcept {
#if defined(_OPENMP)
    const int n = n_threads > 1 ? raise_team(n_threads) : 1;
    if (n > 1) {
        Interrupt* const interrupt = Interrupt::current();
#pragma omp parallel num_threads(n)
        {
            if (omp_get_thread_num() == 0) settle_team();
            work(Team{omp_get_thread_num(), omp_get_num_threads(), interrupt});
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
