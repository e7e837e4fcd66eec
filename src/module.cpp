// sae_fast._core: names the parts, nothing else.
#include "bindings.hpp"
#include "object.hpp"
#include "sae_fast/isa.hpp"

PYBIND11_MODULE(_core, m) {
    m.doc() = "Compiled core of sae_fast. Private: use the functions of sae_fast.";
    sae_fast::isa();  // a wrong SAE_FAST_ISA is an error here, at import
    sae_fast::bindings::bind_chunks(m);
    sae_fast::bindings::bind_config(m);
    sae_fast::bindings::bind_convolve(m);
    sae_fast::bindings::bind_encoder(m);
    sae_fast::bindings::bind_ksparse(m);
    sae_fast::bindings::bind_ksparse_training(m);
    sae_fast::bindings::bind_network(m);
    sae_fast::bindings::bind_quick(m);
    sae_fast::bindings::bind_training(m);
    sae_fast::bindings::refuse_pickles(m);
}
