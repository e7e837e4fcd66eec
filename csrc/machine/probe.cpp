#include "sae_fast/probe.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/kernel_table.hpp"
#include "sae_fast/workspace.hpp"
#include "team.hpp"

namespace sae_fast {

template <class T>
double multiply_add_rate(int n_threads, double seconds) {
    using Clock = std::chrono::steady_clock;
    const Kernels<T>& k = kernels<T>();
    const int n = num_threads(n_threads);
    constexpr Size rounds = 20000;
    // Threads that wake up may share a processor until the system moves one of them, and others may take one away. So
    // each thread's rate is that of its best window, shorter than what the system gives a processor away for.
    constexpr double window = 1e-3;
    std::vector<double> rate(static_cast<std::size_t>(n));
    std::vector<T> sink(static_cast<std::size_t>(n));
    parallel(n, [&](Team team) {
        const std::size_t id = static_cast<std::size_t>(team.id);
        k.multiply_adds(rounds, &sink[id]);
        team.barrier();
        const auto seconds_since = [](Clock::time_point then) {
            return std::chrono::duration<double>(Clock::now() - then).count();
        };
        const Clock::time_point start = Clock::now();
        do {
            const Clock::time_point opened = Clock::now();
            double done = 0;
            double elapsed = 0;
            while (elapsed < window) {
                done += static_cast<double>(k.multiply_adds(rounds, &sink[id]));
                elapsed = seconds_since(opened);
            }
            rate[id] = std::max(rate[id], done / elapsed);
        } while (seconds_since(start) < seconds);
    });
    double total = 0;
    for (const double r : rate) total += r;
    return total;
}

template <class T>
double read_time(Size n, double seconds) {
    using Clock = std::chrono::steady_clock;
    const Kernels<T>& k = kernels<T>();
    Workspace workspace;
    T* const x = Arena(workspace.reserve(static_cast<std::size_t>(n) * sizeof(T))).take<T>(n);
    std::fill(x, x + n, T(1));
    constexpr int passes = 16;  // between two looks at the clock
    const Clock::time_point start = Clock::now();
    Clock::time_point last = start;
    double best = seconds + 1;
    volatile T sink = 0;
    do {
        for (int i = 0; i < passes; ++i) sink = k.read_once(x, n);
        const Clock::time_point now = Clock::now();
        best = std::min(best, std::chrono::duration<double>(now - last).count() / passes);
        last = now;
    } while (std::chrono::duration<double>(last - start).count() < seconds);
    (void)sink;
    return best;
}

template double read_time<float>(Size, double);
template double read_time<double>(Size, double);
template double multiply_add_rate<float>(int, double);
template double multiply_add_rate<double>(int, double);

}  // namespace sae_fast
