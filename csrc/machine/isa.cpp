#include "sae_fast/isa.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "kernels/kernel_table.hpp"

#define SAE_FAST_DECLARE(ISA)                 \
    namespace ISA {                           \
    extern const Kernels<float> kernels_f32;  \
    extern const Kernels<double> kernels_f64; \
    }

namespace sae_fast {

#if defined(SAE_FAST_HAVE_NEON)
SAE_FAST_DECLARE(neon)
#endif
#if defined(SAE_FAST_HAVE_BASELINE)
SAE_FAST_DECLARE(baseline)
#endif
#if defined(SAE_FAST_HAVE_AVX2)
SAE_FAST_DECLARE(avx2)
#endif
#if defined(SAE_FAST_HAVE_AVX512)
SAE_FAST_DECLARE(avx512)
#endif

namespace {

struct Choice {
    const Kernels<float>* f32;
    const Kernels<double>* f64;
    bool usable;
};

// The slowest first.
std::vector<Choice> built() {
    std::vector<Choice> all;
#if defined(SAE_FAST_HAVE_NEON)
    all.push_back({&neon::kernels_f32, &neon::kernels_f64, true});
#endif
#if defined(SAE_FAST_HAVE_BASELINE)
    all.push_back({&baseline::kernels_f32, &baseline::kernels_f64, true});
#endif
#if defined(SAE_FAST_HAVE_AVX2)
    const bool has_avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    all.push_back({&avx2::kernels_f32, &avx2::kernels_f64, has_avx2});
#endif
#if defined(SAE_FAST_HAVE_AVX512)
    const bool has_avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
                            __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0;
    all.push_back({&avx512::kernels_f32, &avx512::kernels_f64, has_avx512});
#endif
    return all;
}

Choice choose() {
    const std::vector<Choice> all = built();
    const char* wanted = std::getenv("SAE_FAST_ISA");
    const Choice* best = nullptr;
    std::string names;
    for (const Choice& choice : all) {
        if (!choice.usable) continue;
        names += (names.empty() ? "" : ", ") + std::string(choice.f32->isa);
        if (wanted == nullptr || *wanted == '\0' || std::strcmp(wanted, choice.f32->isa) == 0) best = &choice;
    }
    if (names.empty())
        throw std::runtime_error("this build has no kernels for this machine: build it without SAE_FAST_ISAS");
    if (best == nullptr)
        throw std::runtime_error("SAE_FAST_ISA must be one of " + names + " on this machine, got " + wanted);
    return *best;
}

const Choice& chosen() {
    static const Choice choice = choose();
    return choice;
}

}  // namespace

const char* isa() { return chosen().f32->isa; }

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
    for (const Choice& choice : built())
        if (choice.usable) names.emplace_back(choice.f32->isa);
    return names;
}

template <>
const Kernels<float>& kernels<float>() noexcept {
    return *chosen().f32;
}

template <>
const Kernels<double>& kernels<double>() noexcept {
    return *chosen().f64;
}

}  // namespace sae_fast
