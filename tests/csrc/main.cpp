#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "check.hpp"
#include "sae_fast/isa.hpp"
#include "sae_fast/threads.hpp"

// Counts what is taken from the heap by new.
namespace {
std::atomic<long> n_allocations{0};
}

long sae_fast::test::allocations() noexcept { return n_allocations; }

void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
    ++n_allocations;
    return std::malloc(n > 0 ? n : 1);
}
void* operator new(std::size_t n) {
    void* const p = operator new(n, std::nothrow);
    if (p == nullptr) throw std::bad_alloc();
    return p;
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

// `core_tests` runs everything with the instruction set of SAE_FAST_ISA, `core_tests --quick` all but long tests;
// `core_tests --isas` lists the instruction sets of this machine.
int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "--isas") == 0) {
        for (const std::string& name : sae_fast::available_isas()) std::printf("%s ", name.c_str());
        std::printf("\n");
        return 0;
    }
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    std::size_t n_tests = 0;
    for (const sae_fast::test::Test& test : sae_fast::test::tests()) {
        if (quick && test.is_long) continue;
        ++n_tests;
        const int failed = sae_fast::test::counts().failed;
        test.run();
        if (sae_fast::test::counts().failed != failed) std::printf("FAILED: %s\n", test.claim);
    }
    const sae_fast::test::Counts counts = sae_fast::test::counts();
    std::printf("%s, %s: %zu tests, %d checks passed, %d failed\n", sae_fast::isa(),
                sae_fast::has_openmp() ? "OpenMP" : "single-threaded", n_tests, counts.passed, counts.failed);
    return counts.failed != 0;
}
