// Networks of any depth. The GIL is released while the core runs: it touches only the memory of arrays that the
// arguments, or the object that is called, keep alive, and its own workspace.
#include <algorithm>

#include "array.hpp"
#include "bindings.hpp"
#include "epochs.hpp"
#include "lbfgs_report.hpp"
#include "local_workspace.hpp"
#include "object.hpp"
#include "sae_fast/deep_train.hpp"
#include "sae_fast/objective.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

/// (units, rho, beta, weight_decay, loss): lists with one number a layer, and the loss.
struct DeepSettings {
    std::vector<Unit> units;
    std::vector<Penalty> penalties;
    Loss loss;

    explicit DeepSettings(const py::tuple& t) : loss(static_cast<Loss>(py::cast<int>(t[4]))) {
        const auto numbers = py::cast<std::vector<int>>(t[0]);
        const auto rho = py::cast<std::vector<double>>(t[1]);
        const auto beta = py::cast<std::vector<double>>(t[2]);
        const auto decay = py::cast<std::vector<double>>(t[3]);
        const std::size_t n = numbers.size();
        if (n < 1 || rho.size() != n || beta.size() != n || decay.size() != n)
            throw py::value_error("units, rho, beta and weight_decay must have one value a layer");
        for (std::size_t l = 0; l < n; ++l) {
            units.push_back(static_cast<Unit>(numbers[l]));
            penalties.push_back({rho[l], beta[l], decay[l]});
            if (l + 1 < n && units[l] == Unit::linear && beta[l] > 0)
                throw py::value_error("beta must be 0 for a linear layer");
        }
        if (loss == Loss::softmax && units.back() != Unit::linear)
            throw py::value_error("the last unit must be linear with softmax");
    }
};

/// Sizes that follow one another: layers (W, b) as Python hands them over.
template <class T>
std::vector<DeepLayer<const T>> const_layers(const py::tuple& layers) {
    std::vector<DeepLayer<const T>> found;
    for (const py::handle& layer : layers) {
        const auto pair = py::cast<py::tuple>(layer);
        if (pair.size() != 2) throw py::value_error("a layer must be (W, b)");
        const py::array W = array_at(pair, 0);
        if (W.ndim() != 2 || W.size() < 1) throw py::value_error("W must have 2 dimensions");
        const Size n_out = W.shape(0);
        const Size n_in = W.shape(1);
        if (!found.empty() && found.back().n_out != n_in) throw py::value_error("layers must fit together");
        found.push_back({input<T>(W, n_in * n_out, "W"), input<T>(array_at(pair, 1), n_out, "b"), n_in, n_out});
    }
    if (found.empty()) throw py::value_error("layers must not be empty");
    return found;
}

template <class T>
std::vector<DeepLayer<T>> mutable_layers(const py::tuple& layers) {
    std::vector<DeepLayer<T>> found;
    std::size_t l = 0;
    for (const DeepLayer<const T>& like : const_layers<T>(layers)) {
        const auto pair = py::cast<py::tuple>(layers[l++]);
        py::array W = array_at(pair, 0);
        py::array b = array_at(pair, 1);
        found.push_back(
            {output<T>(W, like.n_in * like.n_out, "W"), output<T>(b, like.n_out, "b"), like.n_in, like.n_out});
    }
    return found;
}

template <class A, class B>
void check_same_sizes(const std::vector<A>& layers, const std::vector<B>& like) {
    bool same = layers.size() == like.size();
    for (std::size_t l = 0; same && l < like.size(); ++l)
        same = layers[l].n_in == like[l].n_in && layers[l].n_out == like[l].n_out;
    if (!same) throw py::value_error("out must have the shapes of layers");
}

/// X, what its output is compared with, and weights, checked against the network.
struct DeepData {
    Samples X, target;
    const Size* labels = nullptr;
    const double* sample_weight = nullptr;

    DeepData(const py::array& X_, const py::object& target_, const py::object& labels_, const py::object& weight,
             Size n_in, Size n_out, Loss loss)
        : X(samples(X_, n_in)) {
        const Size m = X.n_samples;
        if (m < 1) throw py::value_error("X must have at least one sample");
        sample_weight = input_or_null<double>(weight, m, "sample_weight");
        if (loss == Loss::softmax) {
            labels = input_or_null<Size>(labels_, m, "labels");
            if (labels == nullptr || !std::all_of(labels, labels + m, [=](Size y) { return y >= 0 && y < n_out; }))
                throw py::value_error("labels must be in 0 ... n_out - 1");
        } else if (!target_.is_none()) {
            target = samples(py::cast<py::array>(target_), n_out);
            if (target.n_samples != m) throw py::value_error("target must have the samples of X");
        } else if (n_in != n_out) {
            throw py::value_error("target must be given where n_out is not n_features");
        }
    }
};

template <class T>
DeepProblem<T> problem_of(const std::vector<DeepLayer<const T>>& layers, const DeepSettings& settings,
                          const DeepData& data) {
    if (layers.size() != settings.units.size()) throw py::value_error("units must have one value a layer");
    DeepProblem<T> problem;
    problem.layers = layers.data();
    problem.units = settings.units.data();
    problem.penalties = settings.penalties.data();
    problem.n_layers = static_cast<Size>(layers.size());
    problem.loss = settings.loss;
    problem.X = data.X;
    problem.target = data.target;
    problem.labels = data.labels;
    problem.sample_weight = data.sample_weight;
    return problem;
}

bool is_float32_network(const py::tuple& layers) {
    if (layers.empty()) throw py::value_error("layers must not be empty");
    return is_float32(py::cast<py::tuple>(layers[0]));
}

template <class T>
void forward_as(const py::tuple& layers, const py::array& X, const DeepSettings& settings, py::array& out,
                int n_threads) {
    const auto network = const_layers<T>(layers);
    if (network.size() != settings.units.size()) throw py::value_error("units must have one value a layer");
    const Samples x = samples(X, network.front().n_in);
    const Size n_out = network.back().n_out;
    T* to = output<T>(out, x.n_samples * n_out, "out");
    unlocked([&] {
        LocalWorkspace workspace;
        deep_forward(network.data(), settings.units.data(), static_cast<Size>(network.size()), settings.loss, x, to,
                     n_out, n_threads, workspace.get());
    });
}

void forward(const py::tuple& layers, const py::array& X, const py::tuple& settings, py::array out, int n_threads) {
    const auto run = is_float32_network(layers) ? forward_as<float> : forward_as<double>;
    run(layers, X, DeepSettings(settings), out, n_threads);
}

template <class T>
Cost evaluate_as(const py::tuple& layers, const py::array& X, const py::object& target, const py::object& labels,
                 const py::object& sample_weight, const DeepSettings& settings, const py::object& grad, int n_threads) {
    const auto network = const_layers<T>(layers);
    const DeepData data(X, target, labels, sample_weight, network.front().n_in, network.back().n_out, settings.loss);
    const DeepProblem<T> problem = problem_of(network, settings, data);
    std::vector<DeepLayer<T>> gradient;
    if (!grad.is_none()) {
        gradient = mutable_layers<T>(py::cast<py::tuple>(grad));
        check_same_sizes(gradient, network);
    }
    return unlocked([&] {
        LocalWorkspace workspace;
        return deep_evaluate(problem, {gradient.empty() ? nullptr : gradient.data(), nullptr}, n_threads,
                             workspace.get());
    });
}

py::tuple evaluate_any(const py::tuple& layers, const py::array& X, const py::object& target, const py::object& labels,
                       const py::object& sample_weight, const py::tuple& settings, const py::object& grad,
                       int n_threads) {
    const auto run = is_float32_network(layers) ? evaluate_as<float> : evaluate_as<double>;
    const Cost cost = run(layers, X, target, labels, sample_weight, DeepSettings(settings), grad, n_threads);
    return py::make_tuple(cost.total(), cost.reconstruction, cost.weight_decay, cost.sparsity);
}

template <class T>
class BoundDeepTrainer : public PythonObject {
public:
    BoundDeepTrainer(py::tuple layers, const DeepSettings& settings, const py::dict& options)
        : layers_(std::move(layers)), view_(mutable_layers<T>(layers_)), loss_(settings.loss) {
        if (view_.size() != settings.units.size()) throw py::value_error("units must have one value a layer");
        DeepTrainOptions o;
        o.rule = rule_of(options);
        o.loss = settings.loss;
        o.batch_size = py::cast<Size>(options["batch_size"]);
        o.shuffle = py::cast<bool>(options["shuffle"]);
        o.seed = py::cast<std::uint64_t>(options["seed"]);
        o.n_threads = py::cast<int>(options["n_threads"]);
        if (o.batch_size < 1) throw py::value_error("batch_size must be >= 1");
        trainer_ = std::make_unique<DeepTrainer<T>>(view_, settings.units, settings.penalties, o);
    }

    py::tuple run_epoch(const py::array& X, const py::object& target, const py::object& labels,
                        const py::object& sample_weight) {
        const DeepData data(X, target, labels, sample_weight, view_.front().n_in, view_.back().n_out, loss_);
        return report_of(unlocked([&] {
            return exclusive_.alone(
                [&] { return trainer_->run_epoch(data.X, data.target, data.labels, data.sample_weight); });
        }));
    }
    Size n_steps() const {
        return exclusive_.look([this] { return trainer_->n_steps(); });
    }

private:
    py::tuple layers_;
    std::vector<DeepLayer<T>> view_;
    Loss loss_;
    std::unique_ptr<DeepTrainer<T>> trainer_;
    Exclusive exclusive_;
};

template <class T>
class BoundDeepLbfgs : public PythonObject {
public:
    BoundDeepLbfgs(py::array theta, const std::vector<Size>& sizes, py::array X, py::object target, py::object labels,
                   py::object sample_weight, const DeepSettings& settings, int memory, int n_threads)
        : theta_(std::move(theta)),
          X_(std::move(X)),
          target_(std::move(target)),
          labels_(std::move(labels)),
          sample_weight_(std::move(sample_weight)) {
        if (memory < 1) throw py::value_error("memory must be >= 1");
        if (sizes.size() < 2) throw py::value_error("sizes must have at least two values");
        std::vector<DeepLayer<const T>> network;
        for (std::size_t l = 1; l < sizes.size(); ++l) network.push_back({nullptr, nullptr, sizes[l - 1], sizes[l]});
        const DeepData data(X_, target_, labels_, sample_weight_, sizes.front(), sizes.back(), settings.loss);
        auto objective = std::make_unique<DeepObjective<T>>(problem_of(network, settings, data));
        T* start = output<T>(theta_, objective->n_params(), "theta");
        LbfgsOptions options;
        options.memory = memory;
        optimizer_ = std::make_unique<Lbfgs<T>>(start, std::move(objective), options, n_threads);
    }

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
    py::object target_, labels_, sample_weight_;
    std::unique_ptr<Lbfgs<T>> optimizer_;
    Exclusive exclusive_;
};

template <class T>
void bind_solvers_as(py::module_& m, const char* trainer, const char* lbfgs) {
    py::class_<BoundDeepTrainer<T>>(m, trainer)
        .def(py::init([](py::tuple layers, const py::tuple& settings, const py::dict& options) {
                 return std::make_unique<BoundDeepTrainer<T>>(std::move(layers), DeepSettings(settings), options);
             }),
             py::arg("layers"), py::arg("settings"), py::arg("options"))
        .def("run_epoch", &BoundDeepTrainer<T>::run_epoch, py::arg("X"), py::arg("target"), py::arg("labels"),
             py::arg("sample_weight"))
        .def_property_readonly("n_steps", &BoundDeepTrainer<T>::n_steps);
    py::class_<BoundDeepLbfgs<T>>(m, lbfgs)
        .def(py::init([](py::array theta, const std::vector<Size>& sizes, py::array X, py::object target,
                         py::object labels, py::object sample_weight, const py::tuple& settings, int memory,
                         int n_threads) {
                 return std::make_unique<BoundDeepLbfgs<T>>(std::move(theta), sizes, std::move(X), std::move(target),
                                                            std::move(labels), std::move(sample_weight),
                                                            DeepSettings(settings), memory, n_threads);
             }),
             py::arg("theta"), py::arg("sizes"), py::arg("X"), py::arg("target"), py::arg("labels"),
             py::arg("sample_weight"), py::arg("settings"), py::arg("memory"), py::arg("n_threads"))
        .def("start", &BoundDeepLbfgs<T>::start)
        .def("iterate", &BoundDeepLbfgs<T>::iterate)
        .def("rho_hat", &BoundDeepLbfgs<T>::rho_hat);
}

}  // namespace

void bind_deep(py::module_& m) {
    m.def("deep_forward", &forward, py::arg("layers"), py::arg("X"), py::arg("settings"), py::arg("out"),
          py::arg("n_threads"));
    m.def("deep_evaluate", &evaluate_any, py::arg("layers"), py::arg("X"), py::arg("target"), py::arg("labels"),
          py::arg("sample_weight"), py::arg("settings"), py::arg("grad"), py::arg("n_threads"));
    bind_solvers_as<float>(m, "DeepTrainerF32", "DeepLbfgsF32");
    bind_solvers_as<double>(m, "DeepTrainerF64", "DeepLbfgsF64");
}

}  // namespace sae_fast::bindings
