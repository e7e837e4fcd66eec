// Which instruction set the kernels use: the best that was built and that the processor has, unless the environment
// variable SAE_FAST_ISA names another when it is first asked for.
#pragma once

#include <string>
#include <vector>

namespace sae_fast {

/// "baseline", "avx2", "avx512" or "neon". Throws std::runtime_error if SAE_FAST_ISA names one that was not built
/// or that this processor does not have.
const char* isa();

/// Those that were built and run here, the slowest first.
std::vector<std::string> available_isas();

}  // namespace sae_fast
