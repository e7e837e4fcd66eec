// The kernels for double, compiled once per instruction set (SAE_FAST_ISA).
#include "activations.hpp"
#include "columns.hpp"
#include "convolve.hpp"
#include "epilogues.hpp"
#include "gradient.hpp"
#include "products.hpp"
#include "row.hpp"
#include "select.hpp"
#include "softmax.hpp"
#include "sparse.hpp"
#include "table.hpp"
#include "updates.hpp"
#include "watching.hpp"

namespace sae_fast {
namespace SAE_FAST_ISA {

SAE_FAST_DEFINE_TABLE(kernels_f64, double)

}  // namespace SAE_FAST_ISA
}  // namespace sae_fast
