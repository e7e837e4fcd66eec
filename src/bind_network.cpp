// encode, decode, and cost with gradients. The GIL is released while the core runs: it touches only the memory of
// arrays that the arguments keep alive, and its own workspace.
#include <limits>
#include <mutex>

#include "array.hpp"
#include "bindings.hpp"
#include "local_workspace.hpp"
#include "object.hpp"
#include "sae_fast/network.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

template <class T>
void forward_as(const py::array& W, const py::array& b, const py::array& X, int unit, py::array& out, int n_threads) {
    if (W.ndim() != 2) throw py::value_error("W must have 2 dimensions");
    const Size n_out = W.shape(0);
    const Samples x = samples(X, W.shape(1));
    const T* w = input<T>(W, n_out * W.shape(1), "W");
    const T* bias = input<T>(b, n_out, "b");
    T* to = output<T>(out, x.n_samples * n_out, "out");
    unlocked([&] {
        LocalWorkspace workspace;
        layer_forward(w, bias, n_out, x, static_cast<Unit>(unit), to, n_out, n_threads, workspace.get());
    });
}

void layer(const py::array& W, const py::array& b, const py::array& X, int unit, py::array out, int n_threads) {
    if (holds<float>(W)) return forward_as<float>(W, b, X, unit, out, n_threads);
    forward_as<double>(W, b, X, unit, out, n_threads);
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

struct Settings {
    int hidden, output;
    double rho, beta, weight_decay;
};

template <class T>
Cost evaluate_as(const Tuple& params, const py::array& X, const py::object& sample_weight, const Settings& settings,
                 const py::object& grad, const py::object& delta3, const py::object& delta2, const py::object& rho_hat,
                 int n_threads, KeptWorkspace* given) {
    Problem<T> problem;
    problem.params = const_params<T>(params);
    const Size v = problem.params.n_visible;
    const Size h = problem.params.n_hidden;
    problem.X = samples(X, v);
    const Size m = problem.X.n_samples;
    if (m < 1) throw py::value_error("X must have at least one sample");
    problem.sample_weight = input_or_null<double>(sample_weight, m, "sample_weight");
    problem.hidden = static_cast<Unit>(settings.hidden);
    problem.output = static_cast<Unit>(settings.output);
    problem.penalty = {settings.rho, settings.beta, settings.weight_decay};
    Params<T> gradient;
    Results<T> results;
    if (!grad.is_none()) {
        const auto outputs = py::cast<Tuple>(grad);
        gradient = mutable_params<T>(outputs);
        check_apart(outputs, params, X);
        if (gradient.n_visible != v || gradient.n_hidden != h)
            throw py::value_error("out must have the shapes of params");
        results.grad = &gradient;
    }
    results.delta3 = output_or_null<T>(delta3, m * v, "delta3");
    results.delta2 = output_or_null<T>(delta2, m * h, "delta2");
    results.rho_hat = output_or_null<double>(rho_hat, h, "rho_hat");
    return unlocked([&] {
        if (given != nullptr) {
            const std::unique_lock<std::mutex> lock(given->mutex, std::try_to_lock);
            if (lock.owns_lock()) return evaluate(problem, results, n_threads, given->workspace);
        }
        LocalWorkspace workspace;
        return evaluate(problem, results, n_threads, workspace.get());
    });
}

py::tuple evaluate_any(const Tuple& params, const py::array& X, int hidden, int output, double rho, double beta,
                       double weight_decay, const py::object& sample_weight, const py::object& grad,
                       const py::object& delta3, const py::object& delta2, const py::object& rho_hat, int n_threads,
                       KeptWorkspace* workspace) {
    const Settings settings{hidden, output, rho, beta, weight_decay};
    const auto run = is_float32(params) ? evaluate_as<float> : evaluate_as<double>;
    const Cost cost = run(params, X, sample_weight, settings, grad, delta3, delta2, rho_hat, n_threads, workspace);
    return py::make_tuple(cost.total(), cost.reconstruction, cost.weight_decay, cost.sparsity);
}

// The short way of cost_and_grad for arguments that are just right; None for all others, whose checks and errors are
// worded in Python. On a minibatch of a few rows those checks take longer than the work.
template <class T>
py::object quick_as(const Tuple& params, const py::array& X, const Settings& settings, const Tuple& out,
                    int n_threads) {
    const py::array W1 = array_at(params, 0);
    const Size shapes[4][2] = {
        {W1.shape(0), W1.shape(1)}, {W1.shape(0), 0}, {W1.shape(1), W1.shape(0)}, {W1.shape(1), 0}};
    for (int i = 0; i < 4; ++i)
        if (!fits<T>(params[static_cast<std::size_t>(i)], shapes[i], false) ||
            !fits<T>(out[static_cast<std::size_t>(i)], shapes[i], true))
            return py::none();
    if (X.ndim() != 2 || X.shape(0) < 1 || X.shape(1) != W1.shape(1) || !holds<T>(X)) return py::none();
    return py::float_(
        evaluate_as<T>(params, X, py::none(), settings, out, py::none(), py::none(), py::none(), n_threads, nullptr)
            .total());
}

// Position of a unit in names, -1 if it is not there.
int unit_of(const py::object& unit, const char* const* names, int n) {
    if (!PyUnicode_Check(unit.ptr())) return -1;
    for (int i = 0; i < n; ++i)
        if (PyUnicode_CompareWithASCIIString(unit.ptr(), names[i]) == 0) return i;
    return -1;
}

py::object quick_cost_and_grad(const py::object& params, const py::object& X, const py::object& rho,
                               const py::object& beta, const py::object& weight_decay, const py::object& hidden,
                               const py::object& output, const py::object& out, const py::object& n_threads) {
    static const char* const units[] = {"sigmoid", "tanh", "linear"};
    if (!PyTuple_Check(params.ptr()) || PyTuple_GET_SIZE(params.ptr()) != 4 || !PyTuple_Check(out.ptr()) ||
        PyTuple_GET_SIZE(out.ptr()) != 4 || !py::isinstance<py::array>(X))
        return py::none();
    for (const py::object* number : {&rho, &beta, &weight_decay})
        if (!PyFloat_CheckExact(number->ptr())) return py::none();
    const Settings settings{unit_of(hidden, units, 2), unit_of(output, units, 3), PyFloat_AS_DOUBLE(rho.ptr()),
                            PyFloat_AS_DOUBLE(beta.ptr()), PyFloat_AS_DOUBLE(weight_decay.ptr())};
    long n = 0;
    if (!n_threads.is_none()) {
        if (!PyLong_CheckExact(n_threads.ptr())) return py::none();
        int overflow = 0;
        n = PyLong_AsLongAndOverflow(n_threads.ptr(), &overflow);
        if (overflow != 0 || n < 1 || n > 4096) return py::none();
    }
    constexpr double inf = std::numeric_limits<double>::infinity();
    const bool good = settings.hidden >= 0 && settings.output >= 0 && settings.rho > 0 && settings.rho < 1 &&
                      settings.beta >= 0 && settings.beta < inf && settings.weight_decay >= 0 &&
                      settings.weight_decay < inf;
    const auto given = py::reinterpret_borrow<Tuple>(params);
    if (!good || !py::isinstance<py::array>(given[0])) return py::none();
    const py::array W1 = array_at(given, 0);
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
    m.def("layer_forward", &layer, py::arg("W"), py::arg("b"), py::arg("X"), py::arg("unit"), py::arg("out"),
          py::arg("n_threads"));
    m.def("evaluate", &evaluate_any, py::arg("params"), py::arg("X"), py::arg("hidden"), py::arg("output"),
          py::arg("rho"), py::arg("beta"), py::arg("weight_decay"), py::arg("sample_weight"), py::arg("grad"),
          py::arg("delta3"), py::arg("delta2"), py::arg("rho_hat"), py::arg("n_threads"),
          py::arg("workspace").none(true));
    m.def("quick_cost_and_grad", &quick_cost_and_grad);
}

}  // namespace sae_fast::bindings
