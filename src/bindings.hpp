// The parts of the extension module, one function each.
#pragma once

#include <pybind11/pybind11.h>

namespace sae_fast::bindings {

void bind_chunks(pybind11::module_& m);
void bind_config(pybind11::module_& m);
void bind_convolve(pybind11::module_& m);
void bind_encoder(pybind11::module_& m);
void bind_ksparse(pybind11::module_& m);
void bind_ksparse_training(pybind11::module_& m);
void bind_network(pybind11::module_& m);
void bind_quick(pybind11::module_& m);
void bind_training(pybind11::module_& m);

}  // namespace sae_fast::bindings
