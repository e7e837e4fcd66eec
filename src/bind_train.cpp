// Training: an epoch a call. The GIL is released for the epoch; Ctrl-C is looked for between minibatches.
#include "array.hpp"
#include "bindings.hpp"
#include "epochs.hpp"
#include "object.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

TrainOptions options_of(const py::dict& d) {
    TrainOptions o;
    o.rule = rule_of(d);
    o.hidden = static_cast<Unit>(py::cast<int>(d["hidden"]));
    o.output = static_cast<Unit>(py::cast<int>(d["output"]));
    o.penalty = {py::cast<double>(d["rho"]), py::cast<double>(d["beta"]), py::cast<double>(d["weight_decay"])};
    o.batch_size = py::cast<Size>(d["batch_size"]);
    o.shuffle = py::cast<bool>(d["shuffle"]);
    o.seed = py::cast<std::uint64_t>(d["seed"]);
    o.rho_hat_momentum = py::cast<double>(d["rho_hat_momentum"]);
    o.n_threads = py::cast<int>(d["n_threads"]);
    if (o.batch_size < 1) throw py::value_error("batch_size must be >= 1");
    return o;
}

template <class T>
class BoundTrainer : public PythonObject {
public:
    BoundTrainer(Tuple params, const TrainOptions& options)
        : params_(std::move(params)), view_(mutable_params<T>(params_)), trainer_(view_, options) {}

    py::tuple run_epoch(const py::array& X, const py::object& sample_weight) {
        const Samples x = samples(X, view_.n_visible);
        if (x.n_samples < 1) throw py::value_error("X must have at least one sample");
        const double* weight = input_or_null<double>(sample_weight, x.n_samples, "sample_weight");
        // The arguments keep X alive, and this object the parameters.
        return report_of(unlocked([&] { return exclusive_.alone([&] { return trainer_.run_epoch(x, weight); }); }));
    }
    Size n_steps() const {
        return exclusive_.look([this] { return trainer_.n_steps(); });
    }
    void change(const py::dict& options) {
        const TrainOptions changed = options_of(options);
        exclusive_.look([&] { trainer_.change(changed); });
    }
    void checkpoint() {
        exclusive_.look([this] { trainer_.checkpoint(); });
    }
    void rollback() {
        exclusive_.look([this] { trainer_.rollback(); });
    }

private:
    Tuple params_;
    Params<T> view_;
    Trainer<T> trainer_;
    Exclusive exclusive_;
};

template <class T>
void bind_trainer_as(py::module_& m, const char* name) {
    py::class_<BoundTrainer<T>>(m, name)
        .def(py::init([](Tuple params, const py::dict& options) {
                 return std::make_unique<BoundTrainer<T>>(std::move(params), options_of(options));
             }),
             py::arg("params"), py::arg("options"))
        .def("run_epoch", &BoundTrainer<T>::run_epoch, py::arg("X"), py::arg("sample_weight"))
        .def("change", &BoundTrainer<T>::change, py::arg("options"))
        .def("checkpoint", &BoundTrainer<T>::checkpoint)
        .def("rollback", &BoundTrainer<T>::rollback)
        .def_property_readonly("n_steps", &BoundTrainer<T>::n_steps);
}

}  // namespace

void bind_train(py::module_& m) {
    bind_trainer_as<float>(m, "TrainerF32");
    bind_trainer_as<double>(m, "TrainerF64");
}

}  // namespace sae_fast::bindings
