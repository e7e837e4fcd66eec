// The smallest test frame that serves: CHECK counts, TEST registers, main prints `N passed, N failed`.
#pragma once

#include <cmath>
#include <cstdio>
#include <vector>

#include "sae_fast/types.hpp"

namespace sae_fast::test {

struct Counts {
    int passed = 0, failed = 0;
};

inline Counts& counts() {
    static Counts value;
    return value;
}

struct Test {
    const char* claim;
    void (*run)();
    bool is_long;
};

inline std::vector<Test>& tests() {
    static std::vector<Test> value;
    return value;
}

struct Register {
    Register(const char* claim, void (*run)(), bool is_long = false) { tests().push_back({claim, run, is_long}); }
};

inline void check(bool good, const char* what, const char* file, int line) {
    if (good) {
        ++counts().passed;
    } else {
        ++counts().failed;
        std::printf("%s:%d: failed: %s\n", file, line, what);
    }
}

/// Calls of operator new so far.
long allocations() noexcept;

/// Numbers in (-1, 1) that look random and are the same everywhere.
template <class T>
std::vector<T> numbers(Size n, unsigned seed, double scale = 1) {
    std::vector<T> values(static_cast<std::size_t>(n));
    unsigned long long state = seed * 2654435761ULL + 12345;
    for (T& v : values) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        v = static_cast<T>(scale * (static_cast<double>(state >> 11) / 4503599627370496.0 - 1));
    }
    return values;
}

/// Largest difference; NaN if there is one, infinity if both are not as long as each other, or empty.
template <class A, class B>
double difference(const A& got, const B& wanted) {
    if (got.size() != wanted.size() || wanted.size() == 0) return HUGE_VAL;
    double worst = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double d = std::fabs(static_cast<double>(got[i]) - static_cast<double>(wanted[i]));
        worst = d > worst || std::isnan(d) ? d : worst;
    }
    return worst;
}

/// Largest difference over the largest wanted entry.
template <class A, class B>
double error(const A& got, const B& wanted) {
    double top = 1e-300;
    for (const auto& x : wanted) top = std::fmax(top, std::fabs(static_cast<double>(x)));
    return difference(got, wanted) / top;
}

}  // namespace sae_fast::test

#define SAE_FAST_CONCAT_(a, b) a##b
#define SAE_FAST_CONCAT(a, b) SAE_FAST_CONCAT_(a, b)
#define SAE_FAST_TEST(claim, is_long)                                              \
    static void SAE_FAST_CONCAT(test_at_, __LINE__)();                             \
    static const sae_fast::test::Register SAE_FAST_CONCAT(register_at_, __LINE__){ \
        claim, SAE_FAST_CONCAT(test_at_, __LINE__), is_long};                      \
    static void SAE_FAST_CONCAT(test_at_, __LINE__)()
#define TEST(claim) SAE_FAST_TEST(claim, false)
/// One that takes many shapes through kernels that other tests take a few through: left out by --quick.
#define LONG_TEST(claim) SAE_FAST_TEST(claim, true)
#define CHECK(condition) sae_fast::test::check((condition), #condition, __FILE__, __LINE__)
