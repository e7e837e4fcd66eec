#include "array.hpp"
#include "bindings.hpp"
#include "object.hpp"
#include "sae_fast/optimizer.hpp"

namespace sae_fast::bindings {

namespace {

// An optimiser bound to the arrays that it updates; it keeps them alive.
template <class T>
class BoundOptimizer : public PythonObject {
public:
    BoundOptimizer(Tuple params, const Rule& rule)
        : params_(std::move(params)),
          view_(mutable_params<T>(params_)),
          optimizer_(rule, view_.n_visible, view_.n_hidden) {}

    void step(const Tuple& grad, int n_threads) {
        const Params<const T> g = const_params<T>(grad);
        if (g.n_visible != view_.n_visible || g.n_hidden != view_.n_hidden)
            throw py::value_error("grad must have the shapes of params");
        // The caller's arrays stay alive through the arguments.
        exclusive_.look([&] { optimizer_.step(view_, g, n_threads); });
    }
    Size n_steps() const {
        return exclusive_.look([this] { return optimizer_.n_steps(); });
    }

    using Contiguous = py::array_t<T, py::array::c_style | py::array::forcecast>;

    // Steps so far, and both moments.
    py::tuple state() const {
        std::vector<T> first;
        std::vector<T> second;
        const Size n = exclusive_.look([&] {
            first = optimizer_.first();
            second = optimizer_.second();
            return optimizer_.n_steps();
        });
        return py::make_tuple(n, py::array_t<T>(static_cast<Size>(first.size()), first.data()),
                              py::array_t<T>(static_cast<Size>(second.size()), second.data()));
    }
    void restore(Size n_steps, const Contiguous& first, const Contiguous& second) {
        std::vector<T> a(first.data(), first.data() + first.size());
        std::vector<T> b(second.data(), second.data() + second.size());
        exclusive_.look([&] { optimizer_.restore(n_steps, std::move(a), std::move(b)); });
    }

private:
    Tuple params_;
    Params<T> view_;
    Optimizer<T> optimizer_;
    Exclusive exclusive_;
};

template <class T>
void bind_optimizer_as(py::module_& m, const char* name) {
    py::class_<BoundOptimizer<T>>(m, name)
        .def(py::init([](Tuple params, int solver, double learning_rate, double momentum, bool nesterov, double beta1,
                         double beta2, double eps) {
                 const Rule rule{static_cast<Solver>(solver), learning_rate, momentum, nesterov, beta1, beta2, eps};
                 return std::make_unique<BoundOptimizer<T>>(std::move(params), rule);
             }),
             py::arg("params"), py::arg("solver"), py::arg("learning_rate"), py::arg("momentum"), py::arg("nesterov"),
             py::arg("beta1"), py::arg("beta2"), py::arg("eps"))
        .def("step", &BoundOptimizer<T>::step, py::arg("grad"), py::arg("n_threads"))
        .def("state", &BoundOptimizer<T>::state)
        .def("restore", &BoundOptimizer<T>::restore, py::arg("n_steps"), py::arg("first"), py::arg("second"))
        .def_property_readonly("n_steps", &BoundOptimizer<T>::n_steps);
}

}  // namespace

void bind_optimizer(py::module_& m) {
    bind_optimizer_as<float>(m, "OptimizerF32");
    bind_optimizer_as<double>(m, "OptimizerF64");
}

}  // namespace sae_fast::bindings
