#include <pybind11/stl.h>

#include "bindings.hpp"
#include "numbers.hpp"
#include "sae_fast/isa.hpp"
#include "sae_fast/probe.hpp"
#include "sae_fast/threads.hpp"

namespace sae_fast::bindings {

namespace {

const char* compiler() {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}

}  // namespace

void bind_config(pybind11::module_& m) {
    m.attr("UNITS") = names_of(kUnits);
    m.attr("LOSSES") = names_of(kLosses);
    m.attr("MAX_THREADS") = kMaxThreads;
    m.def("isa", &isa);
    m.def("available_isas", &available_isas);
    m.def("has_openmp", &has_openmp);
    m.def("compiler", &compiler);
    m.def("available_threads", &available_threads);
    m.def("set_num_threads", &set_num_threads, pybind11::arg("n"));
    // Touches no Python object.
    m.def(
        "multiply_add_rate",
        [](bool float32, int n_threads, double seconds) {
            return float32 ? multiply_add_rate<float>(n_threads, seconds)
                           : multiply_add_rate<double>(n_threads, seconds);
        },
        pybind11::arg("float32"), pybind11::arg("n_threads"), pybind11::arg("seconds"),
        pybind11::call_guard<pybind11::gil_scoped_release>());
    m.def(
        "read_time",
        [](bool float32, Size n, double seconds) {
            return float32 ? read_time<float>(n, seconds) : read_time<double>(n, seconds);
        },
        pybind11::arg("float32"), pybind11::arg("n"), pybind11::arg("seconds"),
        pybind11::call_guard<pybind11::gil_scoped_release>());
    m.def("get_num_threads", [] { return num_threads(); });
}

}  // namespace sae_fast::bindings
