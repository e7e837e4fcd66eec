// Training: an epoch a call. The GIL is released for the epoch; Ctrl-C is looked for between minibatches, at most
// every 50 ms.
#include <chrono>

#include "array.hpp"
#include "bindings.hpp"
#include "sae_fast/train.hpp"

namespace sae_fast::bindings {

namespace {

class SignalGate {
public:
    bool asks() {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(50)) return false;
        last_ = now;
        const py::gil_scoped_acquire acquire;
        raised_ = PyErr_CheckSignals() != 0;  // leaves the exception set; it is thrown once the core has returned
        return raised_;
    }
    bool raised() const noexcept { return raised_; }

private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
    bool raised_ = false;
};

template <class T>
class BoundTrainer {
public:
    BoundTrainer(Tuple params, const TrainOptions& options)
        : params_(std::move(params)), view_(mutable_params<T>(params_)), trainer_(view_, options) {}

    py::tuple run_epoch(const py::array& X, const py::object& sample_weight) {
        const Samples x = samples(X, view_.n_visible);
        if (x.n_samples < 1) throw py::value_error("X must have at least one sample");
        const double* weight = input_or_null<double>(sample_weight, x.n_samples, "sample_weight");
        SignalGate gate;
        EpochSummary summary;
        {
            // The arguments keep X alive, and this object the parameters.
            const py::gil_scoped_release release;
            summary = trainer_.run_epoch(
                x, weight, {[](void* context) { return static_cast<SignalGate*>(context)->asks(); }, &gate});
        }
        if (gate.raised()) throw py::error_already_set();
        return py::make_tuple(summary.cost.reconstruction, summary.cost.weight_decay, summary.cost.sparsity,
                              summary.mean_activation);
    }
    Size n_steps() const { return trainer_.n_steps(); }

private:
    Tuple params_;
    Params<T> view_;
    Trainer<T> trainer_;
};

TrainOptions options_of(const py::dict& d) {
    TrainOptions o;
    o.rule = {static_cast<Solver>(py::cast<int>(d["solver"])),
              py::cast<double>(d["learning_rate"]),
              py::cast<double>(d["momentum"]),
              py::cast<bool>(d["nesterov"]),
              py::cast<double>(d["beta1"]),
              py::cast<double>(d["beta2"]),
              py::cast<double>(d["eps"])};
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
void bind_trainer_as(py::module_& m, const char* name) {
    py::class_<BoundTrainer<T>>(m, name)
        .def(py::init([](Tuple params, const py::dict& options) {
                 return std::make_unique<BoundTrainer<T>>(std::move(params), options_of(options));
             }),
             py::arg("params"), py::arg("options"))
        .def("run_epoch", &BoundTrainer<T>::run_epoch, py::arg("X"), py::arg("sample_weight"))
        .def_property_readonly("n_steps", &BoundTrainer<T>::n_steps);
}

}  // namespace

void bind_train(py::module_& m) {
    bind_trainer_as<float>(m, "TrainerF32");
    bind_trainer_as<double>(m, "TrainerF64");
}

}  // namespace sae_fast::bindings
