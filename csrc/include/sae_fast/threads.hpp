// How many threads, and the one way in which the core uses them.
#pragma once

namespace sae_fast {

/// What a caller may ask for at most; calls take no more than is of use.
constexpr int kMaxThreads = 4096;

/// Threads that the machine really gives this process: OpenMP's own limit (OMP_NUM_THREADS, threadpoolctl), and, where
/// OMP_NUM_THREADS is not set, no more than its processors (affinity) and its cgroup quota. 1 in a forked child whose
/// parent had already used threads, since OpenMP's pool does not survive a fork, and 1 without OpenMP.
int available_threads() noexcept;

/// Default for calls that name no number; 0 returns to available_threads().
void set_num_threads(int n) noexcept;

/// Threads that a call uses when it asks for `requested`; 0 means the default.
int num_threads(int requested = 0) noexcept;

/// Was the core built with OpenMP?
bool has_openmp() noexcept;

}  // namespace sae_fast
