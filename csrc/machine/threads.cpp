#include "sae_fast/threads.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "team.hpp"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace sae_fast {

namespace {

constexpr int kMostThreads = 64;  // that a call may have on any machine; more only where there are processors

std::atomic<int> default_threads{0};
std::atomic<bool> pool_started{false};
std::atomic<bool> pool_lost{false};  // this process was forked from one that had started its pool

#if defined(_OPENMP)

int processors() noexcept {
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Whole processors that the cgroup's quota is worth, rounded up; a large number where there is none.
int read_quota() noexcept {
    constexpr int unlimited = 1 << 20;
    std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r");
    if (file == nullptr) return unlimited;
    long long quota = 0;
    long long period = 0;
    const int got = std::fscanf(file, "%lld %lld", &quota, &period);
    std::fclose(file);
    if (got != 2 || quota <= 0 || period <= 0) return unlimited;
    return static_cast<int>(std::min<long long>(unlimited, (quota + period - 1) / period));
}

int quota() noexcept {
    static const int value = read_quota();
    return value;
}

// A number somebody asked for, cut to what can be of use: threads beyond some to a processor only take memory.
int bounded(int n) noexcept { return n <= kMostThreads ? n : std::min(n, std::max(kMostThreads, 4 * processors())); }

#else

int bounded(int n) noexcept { return n; }

#endif

}  // namespace

bool has_openmp() noexcept {
#if defined(_OPENMP)
    return true;
#else
    return false;
#endif
}

int available_threads() noexcept {
#if defined(_OPENMP)
    if (pool_lost.load(std::memory_order_relaxed)) return 1;
    const int allowed = std::max(1, omp_get_max_threads());
    if (std::getenv("OMP_NUM_THREADS") != nullptr) return allowed;
    return std::min({allowed, processors(), quota()});
#else
    return 1;
#endif
}

void set_num_threads(int n) noexcept { default_threads.store(std::max(0, n), std::memory_order_relaxed); }

int num_threads(int requested) noexcept {
    if (!has_openmp() || pool_lost.load(std::memory_order_relaxed)) return 1;
    if (requested > 0) return bounded(requested);
    const int value = default_threads.load(std::memory_order_relaxed);
    return value > 0 ? bounded(value) : available_threads();
}

void note_pool_start() noexcept {
#if defined(__unix__) || defined(__APPLE__)
    static std::once_flag once;
    std::call_once(once, [] {
        pthread_atfork(nullptr, nullptr, [] {
            if (pool_started.load(std::memory_order_relaxed)) pool_lost.store(true, std::memory_order_relaxed);
        });
    });
#endif
    pool_started.store(true, std::memory_order_relaxed);
}

}  // namespace sae_fast
