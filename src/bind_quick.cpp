// The short way of cost_and_grad, for arguments that are just right; None for all others, whose checks and errors are
// worded in Python. On a minibatch of a few rows checks in Python take longer than the work, and so would pybind11's
// reading of arguments: this function is Python's own kind of function, and looks at each object once.
#include <array>
#include <limits>

#include "array.hpp"
#include "bindings.hpp"
#include "method.hpp"
#include "numbers.hpp"
#include "sae_fast/local_workspace.hpp"
#include "sae_fast/network.hpp"
#include "sae_fast/threads.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

enum Argument { params, data, rho, beta, weight_decay, hidden, output, out, n_threads, loss, l1, n_arguments };
using Arguments = PyObject* const*;

template <class T>
PyObject* quick_as(Arguments given, const Record& W1, const LayerSettings (&settings)[2], Loss by, int threads) {
    const Size h = W1.dimensions[0];
    const Size v = W1.dimensions[1];
    const Size shapes[4][2] = {{h, v}, {h, 0}, {v, h}, {v, 0}};
    std::array<Extent, 5> inputs;
    std::array<Extent, 4> outputs;
    const T* from[4];
    T* to[4];
    for (int i = 0; i < 4; ++i) {
        from[i] = plain_data<T>(PyTuple_GET_ITEM(given[params], i), shapes[i], false);
        to[i] = plain_data<T>(PyTuple_GET_ITEM(given[out], i), shapes[i], true);
        if (from[i] == nullptr || to[i] == nullptr) Py_RETURN_NONE;
        const Size n_bytes = shapes[i][0] * (shapes[i][1] == 0 ? 1 : shapes[i][1]) * static_cast<Size>(sizeof(T));
        inputs[static_cast<std::size_t>(i)] = Extent(from[i], n_bytes);
        outputs[static_cast<std::size_t>(i)] = Extent(to[i], n_bytes);
    }
    const Record* const X = record_of(given[data]);
    if (X == nullptr || X->nd != 2 || X->dimensions[0] < 1 || X->dimensions[1] != v || !holds<T>(*X)) Py_RETURN_NONE;
    inputs[4] = Extent(X->data, sizeof(T), 2, X->dimensions, X->strides);
    check_apart(outputs, inputs, false);
    const Layer<const T> layers[2] = {{from[0], from[1], v, h}, {from[2], from[3], h, v}};
    const Layer<T> grad[2] = {{to[0], to[1], v, h}, {to[2], to[3], h, v}};
    Problem<T> problem;
    problem.network = {layers, settings, 2, by};
    problem.X = samples<T>(*X);
    const auto run = [&] {
        LocalWorkspace workspace;
        return evaluate(problem, {grad, nullptr, nullptr}, threads, workspace.get());
    };
    const Cost cost = 5 * problem.X.n_samples * v * h < kShort ? run() : unlocked(run);
    return PyFloat_FromDouble(cost.total());
}

PyObject* quick(Arguments given) {
    for (const Argument tuple : {params, out})
        if (!PyTuple_Check(given[tuple]) || PyTuple_GET_SIZE(given[tuple]) != 4) Py_RETURN_NONE;
    for (const Argument number : {rho, beta, weight_decay, l1})
        if (!PyFloat_CheckExact(given[number])) Py_RETURN_NONE;
    const Penalty penalty{PyFloat_AS_DOUBLE(given[rho]), PyFloat_AS_DOUBLE(given[beta]),
                          PyFloat_AS_DOUBLE(given[weight_decay]), PyFloat_AS_DOUBLE(given[l1])};
    const int unit[2] = {number_of(given[hidden], kUnits), number_of(given[output], kUnits)};
    long n = 0;
    if (given[n_threads] != Py_None) {
        if (!PyLong_CheckExact(given[n_threads])) Py_RETURN_NONE;
        int overflow = 0;
        n = PyLong_AsLongAndOverflow(given[n_threads], &overflow);
        if (overflow != 0 || n < 1 || n > kMaxThreads) Py_RETURN_NONE;
    }
    constexpr double inf = std::numeric_limits<double>::infinity();
    const int number = number_of(given[loss], kLosses);
    if (unit[0] < 0 || unit[1] < 0 || number < 0) Py_RETURN_NONE;
    const Loss by = static_cast<Loss>(number);
    const LayerSettings settings[2] = {{static_cast<Unit>(unit[0]), penalty}, {static_cast<Unit>(unit[1]), penalty}};
    const bool hides = penalty.beta > 0 ? has_bounded_mean(settings[0].unit) : has_mean(settings[0].unit);
    bool good = hides && !facts(by).by_row && serves(by, settings[1].unit) && penalty.rho > 0 && penalty.rho < 1;
    for (const double weight : {penalty.beta, penalty.weight_decay, penalty.l1})
        good = good && weight >= 0 && weight < inf;
    const Record* const W1 = record_of(PyTuple_GET_ITEM(given[params], 0));
    if (!good || W1 == nullptr || W1->nd != 2 || W1->dimensions[0] < 1 || W1->dimensions[1] < 1) Py_RETURN_NONE;
    if (holds<float>(*W1)) return quick_as<float>(given, *W1, settings, by, static_cast<int>(n));
    if (holds<double>(*W1)) return quick_as<double>(given, *W1, settings, by, static_cast<int>(n));
    Py_RETURN_NONE;
}

PyObject* quick_cost_and_grad(PyObject*, Arguments given, Py_ssize_t n_given) noexcept {
    if (n_given != n_arguments)
        return PyErr_Format(PyExc_TypeError, "quick_cost_and_grad takes %d arguments", int(n_arguments));
    return raising([=] { return quick(given); });
}

}  // namespace

void bind_quick(py::module_& m) {
    static PyMethodDef functions[] = {{"quick_cost_and_grad", as_method(quick_cost_and_grad), METH_FASTCALL, nullptr},
                                      {nullptr, nullptr, 0, nullptr}};
    if (PyModule_AddFunctions(m.ptr(), functions) != 0) throw py::error_already_set();
}

}  // namespace sae_fast::bindings
