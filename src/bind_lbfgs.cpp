// L-BFGS: an iteration a call, so that Python can look, report and stop in between.
#include <pybind11/stl.h>

#include "array.hpp"
#include "bindings.hpp"
#include "lbfgs_report.hpp"

namespace sae_fast::bindings {

namespace {

template <class T>
class BoundLbfgs : public PythonObject {
public:
    BoundLbfgs(py::array theta, py::array X, py::object sample_weight, Size n_hidden, int hidden, int output,
               double rho, double beta, double weight_decay, int memory, int n_threads)
        : theta_(std::move(theta)), X_(std::move(X)), sample_weight_(std::move(sample_weight)) {
        if (X_.ndim() != 2 || X_.shape(0) < 1) throw py::value_error("X must have shape (n_samples, n_visible)");
        if (memory < 1) throw py::value_error("memory must be >= 1");
        const Size v = X_.shape(1);
        Problem<T> problem;
        problem.X = samples(X_, v);
        problem.sample_weight = input_or_null<double>(sample_weight_, problem.X.n_samples, "sample_weight");
        problem.params.n_visible = v;
        problem.params.n_hidden = n_hidden;
        problem.hidden = static_cast<Unit>(hidden);
        problem.output = static_cast<Unit>(output);
        problem.penalty = {rho, beta, weight_decay};
        T* data = sae_fast::bindings::output<T>(theta_, 2 * v * n_hidden + v + n_hidden, "theta");
        LbfgsOptions options;
        options.memory = memory;
        optimizer_ = std::make_unique<Lbfgs<T>>(data, problem, options, n_threads);
    }

    // The arrays live as long as this object.
    py::tuple start() {
        return lbfgs_report(exclusive_, [this] { return optimizer_->start(); });
    }
    py::tuple iterate() {
        return lbfgs_report(exclusive_, [this] { return optimizer_->iterate(); });
    }
    std::vector<double> rho_hat() const {
        return exclusive_.look([this] { return optimizer_->rho_hat(); });
    }

private:
    py::array theta_, X_;
    py::object sample_weight_;
    std::unique_ptr<Lbfgs<T>> optimizer_;
    Exclusive exclusive_;
};

template <class T>
void bind_lbfgs_as(py::module_& m, const char* name) {
    using Bound = BoundLbfgs<T>;
    py::class_<Bound>(m, name)
        .def(py::init<py::array, py::array, py::object, Size, int, int, double, double, double, int, int>(),
             py::arg("theta"), py::arg("X"), py::arg("sample_weight"), py::arg("n_hidden"), py::arg("hidden"),
             py::arg("output"), py::arg("rho"), py::arg("beta"), py::arg("weight_decay"), py::arg("memory"),
             py::arg("n_threads"))
        .def("start", &Bound::start)
        .def("iterate", &Bound::iterate)
        .def("rho_hat", &Bound::rho_hat);
}

}  // namespace

void bind_lbfgs(py::module_& m) {
    bind_lbfgs_as<float>(m, "LbfgsF32");
    bind_lbfgs_as<double>(m, "LbfgsF64");
}

}  // namespace sae_fast::bindings
