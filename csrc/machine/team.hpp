// A team of threads working through the phases of one call: one parallel region, barriers between the phases.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

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

/// Where the members of a team wait for one another. They spin for as long as their pieces of work may differ; whoever
/// waits longer waits for a member whose processor somebody else has, and sleeps: the system can then move that member
/// to the processor that has become idle, which it would not while we spin there.
class Meeting {
public:
    void wait(int n) noexcept;

private:
    alignas(64) std::atomic<int> arrived_{0};
    std::atomic<int> sleeping_{0};
    alignas(64) std::atomic<std::uint32_t> round_{0};
};

/// The items of a phase, shared while it runs. Each member begins with an equal share, the same one whenever the phase
/// comes again, so that it works on what its caches hold, and takes pieces from its beginning; when that is done, it
/// takes from the ends of the shares that others have left. Who works on an item never changes what comes out.
class Shares {
public:
    static constexpr int kMembers = 128;           // of a team; in larger ones shares are fixed
    static constexpr Size kItems = Size(1) << 24;  // of a phase; where there are more, shares are fixed

    /// n <= kMembers. None of the others has to be there before all of them are.
    void start(int n) noexcept;
    /// Member id of n enters its next phase.
    void next_phase(int id) noexcept { ++members_[id].phase; }
    /// `most` items or fewer for it; from another share half of what is left, or less. None: nothing is left of the
    /// phase.
    Range take(int id, int n, Size n_items, Size most) noexcept;

private:
    // What is left of a share: the number of its phase, its beginning and its end, in one word that changes at once. A
    // word of an earlier phase is that of a member who has not come yet: all of its share is left.
    struct alignas(64) Member {
        std::atomic<std::uint64_t> left;
        std::uint16_t phase;
    };
    Member members_[kMembers];
};

/// Where the members of a team run. When a member sleeps, the system moves another one to its processor, and wakes it
/// there: then two share a processor, and no longer try any other on which somebody else computes, for many
/// milliseconds. So a member that finds itself on the processor of one before it goes to one that no member has.
class Places {
public:
    /// n <= Shares::kMembers.
    void start(int n) noexcept;
    /// Member id looks where it is, and leaves if it has to: between two pieces of work.
    void look(int id, int n) noexcept;

private:
    std::atomic<int> processor_[Shares::kMembers];
};

/// What a team has in common.
struct Crew {
    Meeting meeting;
    Shares shares;
    Places places;
};

struct Team {
    int id = 0;
    int n = 1;
    Interrupt* interrupt = Interrupt::current();  // of the thread that made the call; null: nothing stops it
    Crew* crew = nullptr;                         // of a team of several

    /// Shall this member leave out the next piece, of so many multiply-adds, and all after it? The call's results are
    /// undefined then. Members hear of it at different times: none may leave out a barrier, or rely on what another one
    /// should have left.
    bool stops(double multiply_adds) const noexcept { return interrupt != nullptr && interrupt->stops(multiply_adds); }
    bool stops(Size n_rows, Size n_in, Size n_out) const noexcept {
        return interrupt != nullptr &&
               interrupt->stops(static_cast<double>(n_rows) * static_cast<double>(n_in) * static_cast<double>(n_out));
    }

    void barrier() const noexcept {
        if (n > 1) crew->meeting.wait(n);
    }

    /// This member by itself.
    Team alone() const noexcept { return {0, 1, interrupt, nullptr}; }

    /// This member's share of n_items equal items.
    Range share(Size n_items) const noexcept { return {n_items * id / n, n_items * (id + 1) / n}; }

    /// A phase in which all members call item(range) until n_items are done, for `most` of them at a time, or fewer. It
    /// may begin before others have ended the one before, and end before others have ended it; but some barrier has to
    /// come every 30,000 phases.
    template <class Item>
    void each(Size n_items, Size most, Item item) const noexcept {
        if (n == 1 || n > Shares::kMembers || n_items >= Shares::kItems) {
            const Range mine = share(n_items);
            for (Size i = mine.begin; i < mine.end; i += most) item(Range{i, std::min(i + most, mine.end)});
            return;
        }
        Shares& shares = crew->shares;
        shares.next_phase(id);
        for (Range r = shares.take(id, n, n_items, most); r.begin < r.end; r = shares.take(id, n, n_items, most)) {
            crew->places.look(id, n);
            item(r);
        }
    }
};

/// Calls work(Team) on n_threads threads at once, or on as many as the system has to give. work must not throw.
template <class Work>
void parallel(int n_threads, Work&& work) noexcept {
#if defined(_OPENMP)
    const int n = n_threads > 1 ? raise_team(n_threads) : 1;
    if (n > 1) {
        Interrupt* const interrupt = Interrupt::current();
        Crew crew;
        crew.shares.start(std::min(n, Shares::kMembers));
        crew.places.start(std::min(n, Shares::kMembers));
#pragma omp parallel num_threads(n)
        {
            if (omp_get_thread_num() == 0) settle_team();
            const Team team{omp_get_thread_num(), omp_get_num_threads(), interrupt, &crew};
            work(team);
            team.barrier();  // so that OpenMP's own, which spins, finds everybody there
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
