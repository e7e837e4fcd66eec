// Training: weight updates, an epoch a call, an iteration of L-BFGS a call. The GIL is released for each; every object
// keeps alive the arrays that it works on, and calls theirs.
#include "bindings.hpp"
#include "network_data.hpp"
#include "sae_fast/lbfgs.hpp"
#include "sae_fast/train.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

Rule rule_of(const py::dict& d) {
    return {static_cast<Solver>(d["solver"].cast<int>()),
            d["learning_rate"].cast<double>(),
            d["momentum"].cast<double>(),
            d["nesterov"].cast<bool>(),
            d["beta1"].cast<double>(),
            d["beta2"].cast<double>(),
            d["eps"].cast<double>()};
}

template <class T>
Array as_array(const std::vector<T>& v) {
    return new_array<T>({static_cast<Size>(v.size())}, v);
}

/// An optimiser bound to the arrays that it updates.
template <class T>
class BoundOptimizer : public PythonObject {
public:
    BoundOptimizer(const Tuple& layers, const py::dict& rule)
        : arrays_(arrays_of(layers)),
          layers_(layers_of<T>(arrays_)),
          optimizer_(rule_of(rule), n_params(layers_.data(), n_layers())) {}

    void step(const Tuple& grad, int n_threads) {
        const std::vector<Layer<const T>> g = layers_like<const T>(layers_, arrays_of(grad), "grad");
        exclusive_.look([&] { optimizer_.step(layers_.data(), g.data(), n_layers(), n_threads); });
    }
    Size n_steps() const {
        return exclusive_.look([this] { return optimizer_.n_steps(); });
    }

    // Steps so far, and both moments.
    py::tuple state() const {
        std::vector<T> first;
        std::vector<T> second;
        const Size n = exclusive_.look([&] {
            first = optimizer_.first();
            second = optimizer_.second();
            return optimizer_.n_steps();
        });
        return py::make_tuple(n, as_array(first), as_array(second));
    }
    void restore(Size n_steps, const Array& first, const Array& second) {
        std::vector<T> a = numbers_of<T>(first);
        std::vector<T> b = numbers_of<T>(second);
        exclusive_.look([&] { optimizer_.restore(n_steps, std::move(a), std::move(b)); });
    }

private:
    std::vector<Array> arrays_;
    std::vector<Layer<T>> layers_;
    Optimizer<T> optimizer_;
    Exclusive exclusive_;

    Size n_layers() const { return static_cast<Size>(layers_.size()); }
};

template <class T>
class BoundTrainer : public PythonObject {
public:
    BoundTrainer(const Tuple& layers, const Settings& settings, const py::dict& options)
        : arrays_(arrays_of(layers)),
          layers_(layers_of<T>(arrays_)),
          loss_(settings.loss),
          trainer_(settings.network(layers_), options_of(options)) {}

    py::tuple run_epoch(const Array& X, const py::object& target, const py::object& labels,
                        const py::object& sample_weight) {
        const Data data(X, target, labels, sample_weight, layers_.front().n_in, layers_.back().n_out, loss_);
        const EpochSummary summary = unlocked([&] {
            return exclusive_.alone(
                [&] { return trainer_.run_epoch(data.X, data.target, data.labels, data.sample_weight); });
        });
        return py::make_tuple(summary.cost.reconstruction, summary.cost.weight_decay, summary.cost.sparsity,
                              summary.mean_activation);
    }
    Size n_steps() const {
        return exclusive_.look([this] { return trainer_.n_steps(); });
    }
    void change(const Settings& settings, const py::dict& options) {
        settings.network(layers_);
        const TrainOptions changed = options_of(options);
        exclusive_.look([&] { trainer_.change(settings.layers.data(), changed); });
    }
    // Steps so far, both moments, the generator of the shuffling, and running means.
    py::tuple state() const {
        const TrainerState<T> now = exclusive_.look([this] { return trainer_.state(); });
        return py::make_tuple(now.n_steps, as_array(now.first), as_array(now.second), now.random,
                              as_array(now.running));
    }
    void restore(Size n_steps, const Array& first, const Array& second, std::uint64_t random, const Array& running) {
        TrainerState<T> state{n_steps, numbers_of<T>(first), numbers_of<T>(second), random,
                              numbers_of<double>(running)};
        exclusive_.look([&] { trainer_.restore(std::move(state)); });
    }
    void checkpoint() {
        exclusive_.look([this] { trainer_.checkpoint(); });
    }
    void rollback() {
        exclusive_.look([this] { trainer_.rollback(); });
    }

private:
    std::vector<Array> arrays_;
    std::vector<Layer<T>> layers_;
    Loss loss_;
    Trainer<T> trainer_;
    Exclusive exclusive_;

    static TrainOptions options_of(const py::dict& d) {
        TrainOptions o;
        o.rule = rule_of(d);
        o.batch_size = d["batch_size"].cast<Size>();
        o.shuffle = d["shuffle"].cast<bool>();
        o.seed = d["seed"].cast<std::uint64_t>();
        o.rho_hat_momentum = d["rho_hat_momentum"].cast<double>();
        o.n_threads = d["n_threads"].cast<int>();
        if (o.batch_size < 1) throw py::value_error("batch_size must be >= 1");
        return o;
    }
};

template <class T>
class BoundLbfgs : public PythonObject {
public:
    BoundLbfgs(Array theta, const std::vector<Size>& sizes, py::object X, py::object target, py::object labels,
               py::object sample_weight, const Settings& settings, int memory, int n_threads, bool unit_range)
        : theta_(std::move(theta)),
          X_(std::move(X)),
          target_(std::move(target)),
          labels_(std::move(labels)),
          sample_weight_(std::move(sample_weight)) {
        if (memory < 1) throw py::value_error("memory must be >= 1");
        if (sizes.size() < 2) throw py::value_error("sizes must have at least two values");
        std::vector<Layer<const T>> layers;
        for (std::size_t l = 1; l < sizes.size(); ++l) layers.push_back({nullptr, nullptr, sizes[l - 1], sizes[l]});
        auto objective = objective_of(settings.network(layers));
        T* start = output<T>(theta_, objective->n_params(), "theta");
        LbfgsOptions options;
        options.memory = memory;
        options.unit_range = unit_range;
        optimizer_ = std::make_unique<Lbfgs<T>>(start, std::move(objective), options, n_threads);
    }

    py::tuple start() { return report(&Lbfgs<T>::start); }
    py::tuple iterate() { return report(&Lbfgs<T>::iterate); }
    // Gradient and pairs; scalars, inner products, means and ranges.
    py::tuple state() const {
        const LbfgsState<T> now = exclusive_.look([this] { return optimizer_->state(); });
        return py::make_tuple(as_array(now.vectors), as_array(now.numbers));
    }
    void restore(const Array& vectors, const Array& numbers) {
        const LbfgsState<T> state{numbers_of<T>(vectors), numbers_of<double>(numbers)};
        exclusive_.look([&] { optimizer_->restore(state); });
    }
    std::vector<double> rho_hat() const {
        return exclusive_.look([this] { return optimizer_->rho_hat(); });
    }
    Array unit_range() const {
        const std::vector<double> range = exclusive_.look([this] { return optimizer_->unit_range(); });
        return new_array<double>({static_cast<Size>(range.size() / 2), 2}, range);
    }

private:
    Array theta_;
    py::object X_, target_, labels_, sample_weight_;
    std::unique_ptr<Lbfgs<T>> optimizer_;
    Exclusive exclusive_;

    std::unique_ptr<NetworkObjective<T>> objective_of(const Network<const T>& network) const {
        const Size n_in = network.layers[0].n_in;
        const Size n_out = network.layers[network.n_layers - 1].n_out;
        if (py::isinstance<Array>(X_)) {
            const Data data(py::cast<Array>(X_), target_, labels_, sample_weight_, n_in, n_out, network.loss);
            return std::make_unique<NetworkObjective<T>>(data.problem<T>(network));
        }
        if (!target_.is_none() || !labels_.is_none()) throw py::value_error("a source must be its own target");
        auto source = std::make_unique<PythonSource>(X_, n_in);
        const Problem<T> problem = source_problem<T>(network, *source, sample_weight_);
        return std::make_unique<NetworkObjective<T>>(problem, std::move(source));
    }

    py::tuple report(LbfgsStep (Lbfgs<T>::*call)()) {
        const LbfgsStep step = unlocked([&] { return exclusive_.alone([&] { return (*optimizer_.*call)(); }); });
        const Cost& c = step.cost;
        return py::make_tuple(c.total(), c.reconstruction, c.weight_decay, c.sparsity, step.gradient_max,
                              step.n_evaluations, step.status == LbfgsStatus::going);
    }
};

template <class T>
void bind_as(py::module_& m, const std::string& type) {
    py::class_<BoundOptimizer<T>>(m, ("Optimizer" + type).c_str())
        .def(py::init<const Tuple&, const py::dict&>(), py::arg("layers"), py::arg("rule"))
        .def("step", &BoundOptimizer<T>::step, py::arg("grad"), py::arg("n_threads"))
        .def("state", &BoundOptimizer<T>::state)
        .def("restore", &BoundOptimizer<T>::restore, py::arg("n_steps"), py::arg("first"), py::arg("second"))
        .def_property_readonly("n_steps", &BoundOptimizer<T>::n_steps);
    py::class_<BoundTrainer<T>>(m, ("Trainer" + type).c_str())
        .def(py::init<const Tuple&, const Settings&, const py::dict&>(), py::arg("layers"), py::arg("settings"),
             py::arg("options"))
        .def("run_epoch", &BoundTrainer<T>::run_epoch, py::arg("X"), py::arg("target"), py::arg("labels"),
             py::arg("sample_weight"))
        .def("state", &BoundTrainer<T>::state)
        .def("restore", &BoundTrainer<T>::restore, py::arg("n_steps"), py::arg("first"), py::arg("second"),
             py::arg("random"), py::arg("running"))
        .def("change", &BoundTrainer<T>::change, py::arg("settings"), py::arg("options"))
        .def("checkpoint", &BoundTrainer<T>::checkpoint)
        .def("rollback", &BoundTrainer<T>::rollback)
        .def_property_readonly("n_steps", &BoundTrainer<T>::n_steps);
    py::class_<BoundLbfgs<T>>(m, ("Lbfgs" + type).c_str())
        .def(py::init<Array, const std::vector<Size>&, py::object, py::object, py::object, py::object, const Settings&,
                      int, int, bool>(),
             py::arg("theta"), py::arg("sizes"), py::arg("X"), py::arg("target"), py::arg("labels"),
             py::arg("sample_weight"), py::arg("settings"), py::arg("memory"), py::arg("n_threads"),
             py::arg("unit_range") = false)
        .def("start", &BoundLbfgs<T>::start)
        .def("iterate", &BoundLbfgs<T>::iterate)
        .def("state", &BoundLbfgs<T>::state)
        .def("restore", &BoundLbfgs<T>::restore, py::arg("vectors"), py::arg("numbers"))
        .def("rho_hat", &BoundLbfgs<T>::rho_hat)
        .def("unit_range", &BoundLbfgs<T>::unit_range);
}

}  // namespace

void bind_training(py::module_& m) {
    bind_as<float>(m, "F32");
    bind_as<double>(m, "F64");
}

}  // namespace sae_fast::bindings
