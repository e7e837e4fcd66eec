// Networks: output, and cost with gradients. The GIL is released while the core runs: it touches only the memory of
// arrays that the arguments keep alive, and its own workspace.
#include <mutex>

#include "bindings.hpp"
#include "network_data.hpp"
#include "sae_fast/local_workspace.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

void layer(const Array& W, const Array& b, const Array& X, int number, Array out, int n_threads) {
    const Unit unit = unit_of(number);
    with_type(W, [&](auto zero) {
        using T = decltype(zero);
        const std::vector<Layer<const T>> layers = layers_of<const T>({W, b});
        const Samples x = samples(X, layers[0].n_in);
        const Size n_out = layers[0].n_out;
        T* to = output<T>(out, x.n_samples * n_out, "out");
        unlocked([&] {
            LocalWorkspace workspace;
            layer_forward(layers[0], x, unit, to, n_out, n_threads, workspace.get());
        });
    });
}

void forward(const Tuple& given, const Array& X, const Settings& settings, Array out, int n_threads) {
    const std::vector<Array> arrays = arrays_of(given);
    with_type(arrays[0], [&](auto zero) {
        using T = decltype(zero);
        const std::vector<Layer<const T>> layers = layers_of<const T>(arrays);
        const Network<const T> network = settings.network(layers);
        const Samples x = samples(X, layers.front().n_in);
        const Size n_out = layers.back().n_out;
        T* to = output<T>(out, x.n_samples * n_out, "out");
        unlocked([&] {
            LocalWorkspace workspace;
            sae_fast::forward(network, x, to, n_out, n_threads, workspace.get());
        });
    });
}

// A workspace that Python keeps from call to call. One call at a time has it; others, of other threads, use their own.
struct KeptWorkspace : public PythonObject {
    Workspace workspace;
    std::mutex mutex;

    std::size_t size() {
        const py::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock(mutex);
        return workspace.size();
    }
};

template <class T>
Cost evaluate_in(KeptWorkspace* kept, const Problem<T>& problem, const Results<T>& results, int n_threads) {
    return unlocked([&] {
        if (kept != nullptr) {
            const std::unique_lock<std::mutex> lock(kept->mutex, std::try_to_lock);
            if (lock.owns_lock()) return sae_fast::evaluate(problem, results, n_threads, kept->workspace);
        }
        LocalWorkspace workspace;
        return sae_fast::evaluate(problem, results, n_threads, workspace.get());
    });
}

py::tuple evaluate(const Tuple& given, const Array& X, const py::object& target, const py::object& labels,
                   const py::object& sample_weight, const Settings& settings, const py::object& grad,
                   const py::object& deltas, const py::object& rho_hat, int n_threads, KeptWorkspace* workspace,
                   const py::object& unit_range) {
    const std::vector<Array> arrays = arrays_of(given);
    return with_type(arrays[0], [&](auto zero) {
        using T = decltype(zero);
        const std::vector<Layer<const T>> layers = layers_of<const T>(arrays);
        const Network<const T> network = settings.network(layers);
        const Data data(X, target, labels, sample_weight, layers.front().n_in, layers.back().n_out, settings.loss);
        Results<T> results;
        std::vector<Layer<T>> gradient;
        if (!grad.is_none()) {
            const std::vector<Array> outputs = arrays_of(py::cast<Tuple>(grad));
            gradient = layers_like<T>(layers, outputs, "out");
            std::vector<Array> inputs = arrays;
            inputs.push_back(X);
            if (!target.is_none()) inputs.push_back(py::cast<Array>(target));
            check_apart(extents_of(outputs), extents_of(inputs), outputs.size() > py::len(grad));
            results.grad = gradient.data();
        }
        std::vector<T*> delta(layers.size());
        if (!deltas.is_none()) {
            const auto outputs = py::cast<Tuple>(deltas);
            if (outputs.size() != delta.size()) throw py::value_error("deltas must have one array a layer");
            for (std::size_t l = 0; l < delta.size(); ++l)
                delta[l] = output_or_null<T>(outputs[l], data.X.n_samples * layers[l].n_out, "delta");
            results.deltas = delta.data();
        }
        results.rho_hat = output_or_null<double>(rho_hat, n_means(network), "rho_hat");
        results.unit_range = output_or_null<double>(unit_range, 2 * n_hidden_units(network), "unit_range");
        return as_tuple(evaluate_in(workspace, data.problem<T>(network), results, n_threads));
    });
}

// The same over a source; the GIL is taken back to read a block.
py::tuple evaluate_source(const Tuple& given, const py::object& X, const py::object& sample_weight,
                          const Settings& settings, const py::object& grad, const py::object& rho_hat, int n_threads,
                          const py::object& unit_range) {
    const std::vector<Array> arrays = arrays_of(given);
    return with_type(arrays[0], [&](auto zero) {
        using T = decltype(zero);
        const std::vector<Layer<const T>> layers = layers_of<const T>(arrays);
        const Network<const T> network = settings.network(layers);
        PythonSource source(X, layers.front().n_in);
        const Problem<T> problem = source_problem<T>(network, source, sample_weight);
        std::vector<Layer<T>> gradient;
        Results<T> results;
        if (!grad.is_none()) {
            const std::vector<Array> outputs = arrays_of(py::cast<Tuple>(grad));
            gradient = layers_like<T>(layers, outputs, "out");
            check_apart(extents_of(outputs), extents_of(arrays), outputs.size() > py::len(grad));
            results.grad = gradient.data();
        }
        results.rho_hat = output_or_null<double>(rho_hat, n_means(network), "rho_hat");
        results.unit_range = output_or_null<double>(unit_range, 2 * n_hidden_units(network), "unit_range");
        return as_tuple(unlocked([&] {
            Workspace workspace;  // of its own: the source may call the core itself
            return sae_fast::evaluate(problem, source, results, n_threads, workspace);
        }));
    });
}

}  // namespace

void bind_network(py::module_& m) {
    py::class_<KeptWorkspace>(m, "Workspace").def(py::init<>()).def("size", &KeptWorkspace::size);
    py::class_<Settings>(m, "Settings")
        .def(py::init<const std::vector<int>&, const std::vector<double>&, const std::vector<double>&,
                      const std::vector<double>&, int, const std::vector<double>&>(),
             py::arg("units"), py::arg("rho"), py::arg("beta"), py::arg("weight_decay"), py::arg("loss"),
             py::arg("l1") = std::vector<double>{});
    m.def("layer_forward", &layer, py::arg("W"), py::arg("b"), py::arg("X"), py::arg("unit"), py::arg("out"),
          py::arg("n_threads"));
    m.def("forward", &forward, py::arg("layers"), py::arg("X"), py::arg("settings"), py::arg("out"),
          py::arg("n_threads"));
    m.def("evaluate", &evaluate, py::arg("layers"), py::arg("X"), py::arg("target"), py::arg("labels"),
          py::arg("sample_weight"), py::arg("settings"), py::arg("grad") = py::none(), py::arg("deltas") = py::none(),
          py::arg("rho_hat") = py::none(), py::arg("n_threads") = 0, py::arg("workspace").none(true) = py::none(),
          py::arg("unit_range") = py::none());
    m.def("evaluate_source", &evaluate_source, py::arg("layers"), py::arg("source"), py::arg("sample_weight"),
          py::arg("settings"), py::arg("grad") = py::none(), py::arg("rho_hat") = py::none(), py::arg("n_threads") = 0,
          py::arg("unit_range") = py::none());
}

}  // namespace sae_fast::bindings
