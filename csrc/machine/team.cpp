// OpenMP ends the process where it cannot create a thread. So before a region for which it has to, as many threads as
// are missing are created here, all at once and with stacks of OpenMP's size, and let go again: what was to be had a
// moment ago is to be had once more. libgomp keeps a pool for each thread that opens regions, of as many members as its
// last region had, so this happens when a thread's team grows, and costs some 20 microseconds a thread.
//
// What cannot be caught: another part of the process (or, with RLIMIT_NPROC, another process) that takes the last
// thread or the memory for it in that moment; and another user of the same OpenMP that lets our pool shrink between two
// calls.
#include "team.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <new>

#if defined(_OPENMP) && (defined(__unix__) || defined(__APPLE__))
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#endif

#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <thread>
#endif

namespace sae_fast {

namespace {

// Longer than the members of a team that has the processors for itself wait for one another, and little against the
// milliseconds for which the system gives a processor to somebody else.
constexpr std::chrono::microseconds kSpin{100};

void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Until *word is no longer `value`, or for no reason.
void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
#if defined(__linux__)
    static_assert(sizeof word == sizeof value);
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
    if (word.load() == value) std::this_thread::yield();
#endif
}

void wake_all([[maybe_unused]] std::atomic<std::uint32_t>& word) noexcept {
#if defined(__linux__)
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1 << 30, nullptr, nullptr, 0);
#endif
}

}  // namespace

// A member that goes to sleep has said so before it looks at the round for the last time (the system looks once more);
// the last one to arrive changes the round before it asks whether anybody sleeps. So one of the two sees the other.
void Meeting::wait(int n) noexcept {
    const std::uint32_t round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == n) {
        arrived_.store(0, std::memory_order_relaxed);
        round_.store(round + 1);
        if (sleeping_.load() > 0) wake_all(round_);
        return;
    }
    std::chrono::steady_clock::time_point end{};
    do {
        for (int i = 0; i < 64; ++i) {
            if (round_.load(std::memory_order_acquire) != round) return;
            pause();
        }
        if (end == std::chrono::steady_clock::time_point{}) end = std::chrono::steady_clock::now() + kSpin;
    } while (std::chrono::steady_clock::now() < end);
    sleeping_.fetch_add(1);
    while (round_.load() == round) sleep_while(round_, round);
    sleeping_.fetch_sub(1);
}

namespace {

constexpr int kBits = 24;  // of a beginning or an end
constexpr std::uint64_t kMask = (std::uint64_t(1) << kBits) - 1;

std::uint64_t word_of(std::uint16_t phase, Range left) noexcept {
    return std::uint64_t(phase) << (2 * kBits) | static_cast<std::uint64_t>(left.begin) << kBits |
           static_cast<std::uint64_t>(left.end);
}

Range left_in(std::uint64_t word) noexcept {
    return {static_cast<Size>(word >> kBits & kMask), static_cast<Size>(word & kMask)};
}

// Phases that a word is behind; numbers go round.
int behind(std::uint64_t word, std::uint16_t phase) noexcept {
    return static_cast<std::int16_t>(static_cast<std::uint16_t>(phase - (word >> (2 * kBits))));
}

}  // namespace

void Shares::start(int n) noexcept {
    for (int i = 0; i < n; ++i) {
        members_[i].left.store(0, std::memory_order_relaxed);
        members_[i].phase = 0;
    }
}

// Nobody leaves a phase before every word is of that phase, or a later one: so none is ever more than one behind.
Range Shares::take(int id, int n, Size n_items, Size most) noexcept {
    const std::uint16_t phase = members_[id].phase;
    for (int k = 0; k < n; ++k) {
        const int who = id + k < n ? id + k : id + k - n;
        std::atomic<std::uint64_t>& word = members_[who].left;
        std::uint64_t seen = word.load(std::memory_order_relaxed);
        for (;;) {
            const int age = behind(seen, phase);
            if (age < 0) return {0, 0};
            const Range left = age > 0 ? Team{who, n, nullptr, nullptr}.share(n_items) : left_in(seen);
            const Size size = left.end - left.begin;
            if (size == 0 && age == 0) break;
            const Size taken = std::min(most, k == 0 ? size : (size + 1) / 2);
            const Range rest = k == 0 ? Range{left.begin + taken, left.end} : Range{left.begin, left.end - taken};
            if (!word.compare_exchange_weak(seen, word_of(phase, rest), std::memory_order_relaxed)) continue;
            if (taken == 0) break;
            return k == 0 ? Range{left.begin, rest.begin} : Range{rest.end, left.end};
        }
    }
    return {0, 0};
}

void Places::start(int n) noexcept {
    for (int i = 0; i < n; ++i) processor_[i].store(-1, std::memory_order_relaxed);
}

// The first member is the caller's thread, which stays where it is. The others may go where they might before.
void Places::look([[maybe_unused]] int id, [[maybe_unused]] int n) noexcept {
#if defined(__linux__)
    const int here = sched_getcpu();
    processor_[id].store(here, std::memory_order_relaxed);
    bool alone = true;
    for (int k = 0; k < id; ++k) alone = alone && processor_[k].load(std::memory_order_relaxed) != here;
    cpu_set_t allowed;
    if (alone || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    cpu_set_t empty = allowed;
    for (int k = 0; k < n; ++k)
        if (const int taken = processor_[k].load(std::memory_order_relaxed); taken >= 0) CPU_CLR(taken, &empty);
    if (CPU_COUNT(&empty) == 0 || sched_setaffinity(0, sizeof empty, &empty) != 0) return;
    sched_setaffinity(0, sizeof allowed, &allowed);
    processor_[id].store(sched_getcpu(), std::memory_order_relaxed);
#endif
}

#if defined(_OPENMP)

namespace {

thread_local int members = 1;          // of this thread's last region
thread_local bool is_raising = false;  // does this thread hold the lock below?
std::mutex raising;                    // so that two threads do not count on the same ones

#if defined(__unix__) || defined(__APPLE__)

constexpr std::size_t kMargin = std::size_t(16) << 20;  // bytes left over: OpenMP's own tables, other threads' arrays

// Bytes of a stack as OMP_STACKSIZE (or libgomp's own GOMP_STACKSIZE) has it: kilobytes, or with B, K, M, G. 0: the
// system's default.
std::size_t stack_size() noexcept {
    for (const char* name : {"OMP_STACKSIZE", "GOMP_STACKSIZE"}) {
        const char* text = std::getenv(name);
        if (text == nullptr) continue;
        char* end;
        const unsigned long long n = std::strtoull(text, &end, 10);
        if (end == text) continue;
        while (*end == ' ') ++end;
        switch (*end) {
            case 'b':
            case 'B':
                return n;
            case 'm':
            case 'M':
                return n << 20;
            case 'g':
            case 'G':
                return n << 30;
            default:
                return n << 10;
        }
    }
    return 0;
}

// Threads of this process, 0 where nobody says.
long count_threads() noexcept {
    std::FILE* file = std::fopen("/proc/self/stat", "r");
    if (file == nullptr) return 0;
    char text[1024];
    const std::size_t n = std::fread(text, 1, sizeof text - 1, file);
    std::fclose(file);
    text[n] = '\0';
    const char* at = std::strrchr(text, ')');  // the second field; the twentieth is the number of threads
    for (int field = 2; at != nullptr && field < 20; ++field) at = std::strchr(at + 1, ' ');
    return at == nullptr ? 0 : std::strtol(at, nullptr, 10);
}

void* wait_for(void* gate) {
    pthread_mutex_lock(static_cast<pthread_mutex_t*>(gate));
    pthread_mutex_unlock(static_cast<pthread_mutex_t*>(gate));
    return nullptr;
}

// How many of n threads can be had, together with some memory.
int try_threads(int n) noexcept {
    const std::unique_ptr<pthread_t[]> threads(new (std::nothrow) pthread_t[static_cast<std::size_t>(n)]);
    pthread_attr_t attributes;
    if (threads == nullptr || pthread_attr_init(&attributes) != 0) return 0;
    if (const std::size_t size = stack_size()) pthread_attr_setstacksize(&attributes, size);
    const long before = count_threads();
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);  // no signal of the process is for these threads
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&gate);
    int had = 0;
    while (had < n && pthread_create(&threads[static_cast<std::size_t>(had)], &attributes, wait_for, &gate) == 0) ++had;
    void* const margin = std::malloc(kMargin);
    std::free(margin);
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < had; ++i) pthread_join(threads[static_cast<std::size_t>(i)], nullptr);
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    pthread_attr_destroy(&attributes);
    // A thread that was joined counts against RLIMIT_NPROC for another moment.
    for (int i = 0; i < 200 && before > 0 && count_threads() > before; ++i) usleep(50);
    return margin == nullptr ? std::max(0, had - 2) : had;  // two stacks of the usual 8 megabytes
}

#else

int try_threads(int n) noexcept { return n; }

#endif

}  // namespace

int raise_team(int n) noexcept {
    if (n <= members) return n;
    if (omp_get_active_level() >= omp_get_max_active_levels()) return 1;  // called from a region of somebody else's
    note_pool_start();
    raising.lock();
    is_raising = true;
    n = members + try_threads(n - members);
    if (n == 1) settle_team();
    return n;
}

void settle_team() noexcept {
    members = omp_get_num_threads();
    if (!is_raising) return;
    is_raising = false;
    raising.unlock();
}

#endif

}  // namespace sae_fast
