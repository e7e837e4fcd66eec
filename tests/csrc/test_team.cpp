// Teams: barriers, and items that are shared while they are worked on.
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "check.hpp"
#include "machine/team.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

void rest(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

// Items 0 ... n - 1 of each phase are done once, whoever is late; pieces are no longer than they may be.
void every_item_once(int n_threads, Size n, Size most, int n_phases, int barrier_after, int late) {
    const std::unique_ptr<std::atomic<int>[]> done(new std::atomic<int>[static_cast<std::size_t>(n * n_phases + 1)]());
    std::atomic<int> too_long{0};
    parallel(n_threads, [&](Team team) {
        for (int phase = 0; phase < n_phases; ++phase) {
            if (late > 0 && (team.id + phase) % team.n == 1 % team.n) rest(late);
            team.each(n, most, [&](Range r) {
                if (r.end - r.begin > most || r.begin >= r.end) too_long = 1;
                for (Size i = r.begin; i < r.end; ++i) ++done[static_cast<std::size_t>(phase * n + i)];
            });
            if ((phase + 1) % barrier_after == 0) team.barrier();
        }
    });
    int wrong = 0;
    for (Size i = 0; i < n * n_phases; ++i) wrong += done[static_cast<std::size_t>(i)] != 1 ? 1 : 0;
    CHECK(wrong == 0);
    CHECK(too_long == 0);
}

const Register items("every item of a phase is done once, by whomever", [] {
    for (const int n_threads : {1, 2, 3, 8})
        for (const Size n : {0, 1, 2, 7, 100})
            for (const Size most : {1, 3, 1000}) every_item_once(n_threads, n, most, 5, most == 3 ? 10 : 1, 0);
    every_item_once(4, 5, 1, 70'000, 10'000, 0);  // numbers of phases go round
    every_item_once(3, 40, 1, 20, 1, 1);
    every_item_once(2, 40, 4, 20, 30, 1);
    every_item_once(Shares::kMembers + 2, 1000, 1, 3, 1, 0);
});

const Register shared("who is late finds that others have done its share", [] {
    if (num_threads(2) < 2) return;
    std::atomic<int> by_late{0};
    std::atomic<int> n_members{0};
    parallel(2, [&](Team team) {
        n_members = team.n;
        if (team.id == 1) rest(300);
        team.each(100, 1, [&](Range) {
            if (team.id == 1) ++by_late;
        });
    });
    CHECK(n_members < 2 || by_late < 50);
});

const Register barriers("nobody passes a barrier before all have come, though some sleep", [] {
    for (const int n_threads : {2, 3, 8}) {
        std::atomic<int> come{0};
        std::atomic<int> early{0};
        parallel(n_threads, [&](Team team) {
            for (int round = 1; round <= 200; ++round) {
                if (round % 50 == 0 && team.id == round / 50 % team.n) rest(2);
                ++come;
                team.barrier();
                if (come < round * team.n) ++early;
                team.barrier();
            }
        });
        CHECK(early == 0);
    }
});

#if defined(__linux__) && defined(_OPENMP)
const Register apart("members that meet on one processor part, and may go where they might before", [] {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2 || num_threads(2) < 2) return;
    std::atomic<int> first{-1};
    std::atomic<int> n_met{0};
    std::atomic<int> n_parted{0};
    std::atomic<int> n_changed{0};
    for (int trial = 0; trial < 20; ++trial) {
        std::atomic<bool> taken{false};
        parallel(2, [&](Team team) {
            if (team.n < 2) return;
            cpu_set_t one;
            CPU_ZERO(&one);
            if (team.id == 0) {
                first = sched_getcpu();
                CPU_SET(first, &one);
                sched_setaffinity(0, sizeof one, &one);  // the system shall not move this one
            }
            team.each(2, 1, [&](Range) {});  // where everybody is
            team.barrier();
            bool met = false;
            if (team.id == 1) {
                CPU_SET(first, &one);
                sched_setaffinity(0, sizeof one, &one);
                sched_setaffinity(0, sizeof allowed, &allowed);
                met = sched_getcpu() == first;
                if (met) ++n_met;
            }
            team.each(2, 1, [&](Range) {
                if (team.id == 0) {
                    while (!taken) rest(1);  // so that there is one for the other, too
                    return;
                }
                if (met && sched_getcpu() != first) ++n_parted;
                taken = true;
            });
            cpu_set_t now;
            if (team.id == 0) {
                sched_setaffinity(0, sizeof allowed, &allowed);
            } else if (sched_getaffinity(0, sizeof now, &now) != 0 || !CPU_EQUAL(&now, &allowed)) {
                ++n_changed;
            }
        });
    }
    // The system may move a member back between its piece and our look at it, but not every time.
    CHECK(n_parted > 0 || n_met == 0);
    CHECK(n_changed == 0);
});
#endif

}  // namespace
