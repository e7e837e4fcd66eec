// Networks: output, and cost with gradients. The GIL is released while the core runs: it touches only the memory of
// arrays that the arguments keep alive, and its own workspace.
#include <array>
#include <limits>
#include <mutex>

#include "bindings.hpp"
#include "local_workspace.hpp"
#include "network_data.hpp"
#include "sae_fast/threads.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

template <class T>
void layer_as(const py::array& W, const py::array& b, const py::array& X, Unit unit, py::array& out, int n_threads) {
    const std::vector<Layer<const T>> layer = layers_of<const T>({W, b});
    const Samples x = samples(X, layer[0].n_in);
    T* to = output<T>(out, x.n_samples * layer[0].n_out, "out");
    unlocked([&] {
        LocalWorkspace workspace;
        layer_forward(layer[0], x, unit, to, layer[0].n_out, n_threads, workspace.get());
    });
}

void layer(const py::array& W, const py::array& b, const py::array& X, int unit, py::array out, int n_threads) {
    (holds<float>(W) ? layer_as<float> : layer_as<double>)(W, b, X, unit_of(unit), out, n_threads);
}

template <class T>
void forward_as(const std::vector<py::array>& arrays, const py::array& X, const Settings& settings, py::array& out,
                int n_threads) {
    const std::vector<Layer<const T>> layers = layers_of<const T>(arrays);
    const Network<const T> network = settings.network(layers);
    const Samples x = samples(X, layers.front().n_in);
    const Size n_out = layers.back().n_out;
    T* to = output<T>(out, x.n_samples * n_out, "out");
    unlocked([&] {
        LocalWorkspace workspace;
        sae_fast::forward(network, x, to, n_out, n_threads, workspace.get());
    });
}

void forward(const Tuple& layers, const py::array& X, const Settings& settings, py::array out, int n_threads) {
    const std::vector<py::array> arrays = arrays_of(layers);
    (is_float32(arrays) ? forward_as<float> : forward_as<double>)(arrays, X, settings, out, n_threads);
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
Cost evaluate_as(const std::vector<py::array>& arrays, const py::array& X, const py::object& target,
                 const py::object& labels, const py::object& sample_weight, const Settings& settings,
                 const py::object& grad, const py::object& deltas, const py::object& rho_hat, int n_threads,
                 KeptWorkspace* given) {
    const std::vector<Layer<const T>> layers = layers_of<const T>(arrays);
    const Network<const T> network = settings.network(layers);
    const Data data(X, target, labels, sample_weight, layers.front().n_in, layers.back().n_out, settings.loss);
    const Problem<T> problem = data.problem<T>(network);
    Results<T> results;
    std::vector<Layer<T>> gradient;
    if (!grad.is_none()) {
        const std::vector<py::array> outputs = arrays_of(py::cast<Tuple>(grad));
        gradient = layers_like<T>(layers, outputs, "out");
        std::vector<py::array> inputs = arrays;
        inputs.push_back(X);
        if (!target.is_none()) inputs.push_back(py::cast<py::array>(target));
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
    return unlocked([&] {
        if (given != nullptr) {
            const std::unique_lock<std::mutex> lock(given->mutex, std::try_to_lock);
            if (lock.owns_lock()) return evaluate(problem, results, n_threads, given->workspace);
        }
        LocalWorkspace workspace;
        return evaluate(problem, results, n_threads, workspace.get());
    });
}

py::tuple evaluate_any(const Tuple& layers, const py::array& X, const py::object& target, const py::object& labels,
                       const py::object& sample_weight, const Settings& settings, const py::object& grad,
                       const py::object& deltas, const py::object& rho_hat, int n_threads, KeptWorkspace* workspace) {
    const std::vector<py::array> arrays = arrays_of(layers);
    const auto run = is_float32(arrays) ? evaluate_as<float> : evaluate_as<double>;
    const Cost cost =
        run(arrays, X, target, labels, sample_weight, settings, grad, deltas, rho_hat, n_threads, workspace);
    return py::make_tuple(cost.total(), cost.reconstruction, cost.weight_decay, cost.sparsity);
}

// The short way of cost_and_grad for arguments that are just right; None for all others, whose checks and errors are
// worded in Python. On a minibatch of a few rows those checks take longer than the work.
template <class T>
py::object quick_as(const Tuple& params, const py::array& X, const LayerSettings (&settings)[2], const Tuple& out,
                    int n_threads) {
    const auto at = [](const Tuple& t, int i) { return py::handle(PyTuple_GET_ITEM(t.ptr(), i)); };
    const auto W1 = py::reinterpret_borrow<py::array>(at(params, 0));
    const Size h = W1.shape(0);
    const Size v = W1.shape(1);
    const Size shapes[4][2] = {{h, v}, {h, 0}, {v, h}, {v, 0}};
    std::array<Extent, 5> inputs;
    std::array<Extent, 4> outputs;
    const T* from[4];
    T* to[4];
    for (int i = 0; i < 4; ++i) {
        if (!fits<T>(at(params, i), shapes[i], false) || !fits<T>(at(out, i), shapes[i], true)) return py::none();
        const auto input = py::reinterpret_borrow<py::array>(at(params, i));
        auto output = py::reinterpret_borrow<py::array>(at(out, i));
        inputs[static_cast<std::size_t>(i)] = Extent(input);
        outputs[static_cast<std::size_t>(i)] = Extent(output);
        from[i] = static_cast<const T*>(input.data());
        to[i] = static_cast<T*>(output.mutable_data());
    }
    if (X.ndim() != 2 || X.shape(0) < 1 || X.shape(1) != v || !holds<T>(X)) return py::none();
    inputs[4] = Extent(X);
    check_apart(outputs, inputs, false);
    const Layer<const T> layers[2] = {{from[0], from[1], v, h}, {from[2], from[3], h, v}};
    const Layer<T> grad[2] = {{to[0], to[1], v, h}, {to[2], to[3], h, v}};
    Problem<T> problem;
    problem.network = {layers, settings, 2, Loss::squared};
    problem.X = samples(X, v);
    const Cost cost = unlocked([&] {
        LocalWorkspace workspace;
        return evaluate(problem, {grad, nullptr, nullptr}, n_threads, workspace.get());
    });
    return py::float_(cost.total());
}

py::object quick_cost_and_grad(const py::object& params, const py::object& X, const py::object& rho,
                               const py::object& beta, const py::object& weight_decay, const py::object& hidden,
                               const py::object& output, const py::object& out, const py::object& n_threads) {
    if (!PyTuple_Check(params.ptr()) || PyTuple_GET_SIZE(params.ptr()) != 4 || !PyTuple_Check(out.ptr()) ||
        PyTuple_GET_SIZE(out.ptr()) != 4 || !py::isinstance<py::array>(X))
        return py::none();
    for (const py::object* number : {&rho, &beta, &weight_decay})
        if (!PyFloat_CheckExact(number->ptr())) return py::none();
    const Penalty penalty{PyFloat_AS_DOUBLE(rho.ptr()), PyFloat_AS_DOUBLE(beta.ptr()),
                          PyFloat_AS_DOUBLE(weight_decay.ptr())};
    const int unit[2] = {number_of(hidden, kUnits), number_of(output, kUnits)};
    long n = 0;
    if (!n_threads.is_none()) {
        if (!PyLong_CheckExact(n_threads.ptr())) return py::none();
        int overflow = 0;
        n = PyLong_AsLongAndOverflow(n_threads.ptr(), &overflow);
        if (overflow != 0 || n < 1 || n > kMaxThreads) return py::none();
    }
    constexpr double inf = std::numeric_limits<double>::infinity();
    if (unit[0] < 0 || unit[1] < 0) return py::none();
    const LayerSettings settings[2] = {{static_cast<Unit>(unit[0]), penalty}, {static_cast<Unit>(unit[1]), penalty}};
    const bool serves = penalty.beta > 0 ? has_bounded_mean(settings[0].unit) : has_mean(settings[0].unit);
    const bool good = serves && penalty.rho > 0 && penalty.rho < 1 && penalty.beta >= 0 && penalty.beta < inf &&
                      penalty.weight_decay >= 0 && penalty.weight_decay < inf;
    const auto given = py::reinterpret_borrow<Tuple>(params);
    if (!good || !py::isinstance<py::array>(given[0])) return py::none();
    const auto W1 = py::reinterpret_borrow<py::array>(given[0]);
    if (W1.ndim() != 2 || W1.size() == 0) return py::none();
    const auto data = py::reinterpret_borrow<py::array>(X);
    const auto grad = py::reinterpret_borrow<Tuple>(out);
    if (holds<float>(W1)) return quick_as<float>(given, data, settings, grad, static_cast<int>(n));
    if (holds<double>(W1)) return quick_as<double>(given, data, settings, grad, static_cast<int>(n));
    return py::none();
}

}  // namespace

void bind_network(py::module_& m) {
    py::class_<KeptWorkspace>(m, "Workspace").def(py::init<>()).def("size", &KeptWorkspace::size);
    py::class_<Settings>(m, "Settings")
        .def(py::init<const std::vector<int>&, const std::vector<double>&, const std::vector<double>&,
                      const std::vector<double>&, int>(),
             py::arg("units"), py::arg("rho"), py::arg("beta"), py::arg("weight_decay"), py::arg("loss"));
    m.def("layer_forward", &layer, py::arg("W"), py::arg("b"), py::arg("X"), py::arg("unit"), py::arg("out"),
          py::arg("n_threads"));
    m.def("forward", &forward, py::arg("layers"), py::arg("X"), py::arg("settings"), py::arg("out"),
          py::arg("n_threads"));
    m.def("evaluate", &evaluate_any, py::arg("layers"), py::arg("X"), py::arg("target"), py::arg("labels"),
          py::arg("sample_weight"), py::arg("settings"), py::arg("grad") = py::none(), py::arg("deltas") = py::none(),
          py::arg("rho_hat") = py::none(), py::arg("n_threads") = 0, py::arg("workspace").none(true) = py::none());
    m.def("quick_cost_and_grad", &quick_cost_and_grad);
}

}  // namespace sae_fast::bindings
