#include "sae_fast/probe.hpp"

#include <chrono>
#include <vector>

#include "kernels/kernel_table.hpp"
#include "team.hpp"

namespace sae_fast {

template <class T>
double multiply_add_rate(int n_threads, double seconds) {
    using Clock = std::chrono::steady_clock;
    const Kernels<T>& k = kernels<T>();
    const int n = num_threads(n_threads);
    constexpr Size rounds = 20000;
    std::vector<double> rate(static_cast<std::size_t>(n));
    std::vector<T> sink(static_cast<std::size_t>(n));
    parallel(n, [&](Team team) {
        k.multiply_adds(rounds, &sink[static_cast<std::size_t>(team.id)]);
        team.barrier();
        const Clock::time_point start = Clock::now();
        double done = 0;
        double elapsed = 0;
        while (elapsed < seconds) {
            done += static_cast<double>(k.multiply_adds(rounds, &sink[static_cast<std::size_t>(team.id)]));
            elapsed = std::chrono::duration<double>(Clock::now() - start).count();
        }
        rate[static_cast<std::size_t>(team.id)] = done / elapsed;
    });
    double total = 0;
    for (const double r : rate) total += r;
    return total;
}

template double multiply_add_rate<float>(int, double);
template double multiply_add_rate<double>(int, double);

}  // namespace sae_fast
