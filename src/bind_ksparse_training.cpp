// A step of training sparse codes. The GIL is released for it; the trainer owns all that it works on.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "array.hpp"
#include "bindings.hpp"
#include "object.hpp"
#include "sae_fast/ksparse_training.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

constexpr const char* kArchitectures[] = {"topk", "batchtopk", "jumprelu", "relu", "gated"};

Architecture architecture_of(const std::string& name) {
    for (int i = 0; i < 5; ++i)
        if (name == kArchitectures[i]) return static_cast<Architecture>(i);
    throw py::value_error("architecture must be 'topk', 'batchtopk', 'jumprelu', 'relu' or 'gated', got '" + name +
                          "'");
}

void check(bool good, const std::string& words) {
    if (!good) throw py::value_error(words);
}
bool is_weight(double x) { return x >= 0 && x < kInfinity; }

SparseRule rule_of(const std::string& architecture, const py::object& groups, Size n_latents, bool unit_norm,
                   bool project, double beta1, double beta2, double epsilon, bool tied_b_dec,
                   double threshold_momentum) {
    SparseRule rule;
    rule.architecture = architecture_of(architecture);
    rule.groups = groups.is_none() ? std::vector<Size>{n_latents} : py::cast<std::vector<Size>>(groups);
    bool rising = !rule.groups.empty() && rule.groups.front() > 0 && rule.groups.back() == n_latents;
    for (std::size_t g = 1; rising && g < rule.groups.size(); ++g) rising = rule.groups[g - 1] < rule.groups[g];
    check(rising, "groups must be rising numbers of latents, the last of them n_latents=" + std::to_string(n_latents));
    check(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, "beta1 and beta2 must be in [0, 1)");
    check(epsilon > 0 && epsilon < kInfinity, "epsilon must be > 0");
    check(threshold_momentum >= 0 && threshold_momentum <= 1, "threshold_momentum must be in [0, 1]");
    rule.unit_norm = unit_norm;
    rule.project = project;
    rule.tied_b_dec = tied_b_dec;
    rule.beta1 = beta1;
    rule.beta2 = beta2;
    rule.epsilon = epsilon;
    rule.threshold_momentum = threshold_momentum;
    return rule;
}

void check_step(const SparseStep& o, const SparseRule& rule, Size n_latents) {
    const auto in_range = [n_latents](Size k) { return k >= 1 && k <= n_latents; };
    const std::string range = " must be in [1, " + std::to_string(n_latents) + "], got ";
    const bool top = rule.architecture == Architecture::topk;
    if (top || rule.architecture == Architecture::batchtopk) check(in_range(o.k), "k" + range + std::to_string(o.k));
    check(o.multi_k == 0 || top, "multi_k must be 0, unless architecture='topk'");
    check(o.multi_k == 0 || in_range(o.multi_k), "multi_k" + range + std::to_string(o.multi_k));
    check(o.aux_k >= 0, "aux_k must be >= 0, got " + std::to_string(o.aux_k));
    check(is_weight(o.learning_rate), "learning_rate must be finite and >= 0, got " + std::to_string(o.learning_rate));
    check(is_weight(o.l1) && is_weight(o.l0) && is_weight(o.aux_weight) && is_weight(o.multi_weight),
          "l1, l0, aux_weight and multi_weight must be finite and >= 0");
    check(o.bandwidth > 0 && o.bandwidth < kInfinity, "bandwidth must be > 0, got " + std::to_string(o.bandwidth));
    check(o.unit > 0 && o.unit < kInfinity, "unit must be > 0, got " + std::to_string(o.unit));
}

/// One trainer, of float32 or of float64. Whoever reads it waits for a step that another thread takes.
class KSparseTrainer : public PythonObject {
    static constexpr const char* kMoments[] = {"", "first.", "second."};
    std::unique_ptr<SparseTrainer<float>> f32_;
    std::unique_ptr<SparseTrainer<double>> f64_;
    Exclusive exclusive_;

    // f(trainer).
    template <class F>
    auto any(F f) const {
        return f32_ != nullptr ? f(*f32_) : f(*f64_);
    }

    template <class T>
    static Array like(const SparseTrainer<T>& trainer, std::size_t i) {
        const bool matrix = i == 0 || i == 2;
        return matrix ? new_array<T>({trainer.n_latents(), trainer.n_features()})
                      : new_array<T>({trainer.parameters()[i].n});
    }

    template <class T>
    void fill(SparseTrainer<T>& trainer, const std::vector<py::object>& given) {
        const auto& P = trainer.parameters();
        for (std::size_t i = 0; i < P.size(); ++i) {
            const std::string name = P[i].name;
            check(!given[i].is_none(), name + " must be given with this architecture");
            const auto array = py::cast<Array>(given[i]);
            const Array wanted = like(trainer, i);
            const bool fits = array.ndim() == wanted.ndim() && array.shape(0) == wanted.shape(0) &&
                              (array.ndim() < 2 || array.shape(1) == wanted.shape(1));
            check(fits, name + " must have shape " + py::cast<std::string>(py::str(wanted.attr("shape"))) + ", got " +
                            py::cast<std::string>(py::str(array.attr("shape"))));
            std::copy_n(input<T>(array, P[i].n, P[i].name), P[i].n, P[i].values[0]);
        }
        trainer.changed();
    }

public:
    KSparseTrainer(const Array& W_enc, const py::object& b_enc, const py::object& W_dec, const py::object& b_dec,
                   const py::object& threshold, const py::object& b_gate, const py::object& r_mag,
                   const std::string& architecture, const py::object& groups, bool unit_norm, bool project,
                   double beta1, double beta2, double epsilon, bool tied_b_dec, double threshold_momentum) {
        check(W_enc.ndim() == 2 && W_enc.size() > 0, "W_enc must have 2 dimensions, both > 0");
        const Size h = W_enc.shape(0);
        check(h < (Size(1) << 31), "W_enc must have less than 2^31 rows");
        const SparseRule rule =
            rule_of(architecture, groups, h, unit_norm, project, beta1, beta2, epsilon, tied_b_dec, threshold_momentum);
        std::vector<py::object> given = {W_enc, b_enc, W_dec, b_dec};
        if (rule.architecture == Architecture::jumprelu) given.push_back(threshold);
        if (rule.architecture == Architecture::gated) given.insert(given.end(), {b_gate, r_mag});
        if (holds<float>(W_enc)) {
            f32_ = std::make_unique<SparseTrainer<float>>(rule, W_enc.shape(1), h);
            fill(*f32_, given);
        } else {
            f64_ = std::make_unique<SparseTrainer<double>>(rule, W_enc.shape(1), h);
            fill(*f64_, given);
        }
        if (rule.architecture == Architecture::batchtopk && !threshold.is_none())
            any([&](auto& trainer) { trainer.ema_threshold = py::cast<double>(threshold); });
    }

    py::dict step(const Array& X, double learning_rate, int n_threads, double unit, Size k, double l1, double l0,
                  double bandwidth, Size aux_k, double aux_weight, bool aux_normalized, std::int64_t dead_after,
                  Size multi_k, double multi_weight, bool loss_normalized, const py::object& clip) {
        SparseStep o;
        o.learning_rate = learning_rate;
        o.n_threads = n_threads;
        o.unit = unit;
        o.k = k;
        o.l1 = l1;
        o.l0 = l0;
        o.bandwidth = bandwidth;
        o.aux_k = aux_k;
        o.aux_weight = aux_weight;
        o.aux_normalized = aux_normalized;
        o.dead_after = dead_after;
        o.multi_k = multi_k;
        o.multi_weight = multi_weight;
        o.loss_normalized = loss_normalized;
        o.clip = clip.is_none() ? 0 : py::cast<double>(clip);
        check(clip.is_none() || o.clip > 0, "clip must be None or > 0, got " + std::to_string(o.clip));
        return any([&](auto& trainer) {
            check_step(o, trainer.rule(), trainer.n_latents());
            const Samples rows = samples(X, trainer.n_features());
            check(rows.n_samples >= 1 && rows.n_samples < (Size(1) << 31), "X must have from 1 to 2^31 - 1 rows");
            // The trainer's own arrays and X alone are touched, and Python holds X until the call ends.
            const SparseStepResult r =
                unlocked([&] { return exclusive_.alone([&] { return trainer.step(rows, o); }); });
            const std::string where = " in row " + std::to_string(r.bad.row);
            if (r.bad.row >= 0 && r.bad.given) throw py::value_error("X must be finite, got NaN or infinity" + where);
            check(r.bad.row < 0,
                  "X must have finite pre-activations and errors, but they leave the range of the type" + where);
            py::dict found;
            found["loss"] = r.loss;
            found["squared_error"] = r.squared_error;
            found["variance"] = r.variance;
            found["n_active"] = r.n_active;
            found["aux_loss"] = r.aux_loss;
            found["n_dead"] = r.n_dead;
            return found;
        });
    }

    py::dict state() const {
        return any([&](auto& trainer) {
            using T = std::remove_reference_t<decltype(*trainer.parameters()[0].values[0])>;
            const auto& P = trainer.parameters();
            std::vector<Array> arrays;
            std::vector<T*> to;
            for (std::size_t i = 0; i < 3 * P.size(); ++i) {
                arrays.push_back(like(trainer, i % P.size()));
                to.push_back(static_cast<T*>(arrays.back().mutable_data()));
            }
            auto since = new_array<std::int64_t>({trainer.n_latents()});
            auto* const counts = static_cast<std::int64_t*>(since.mutable_data());
            Size n_steps = 0;
            double ema = 0;
            exclusive_.look([&] {
                for (std::size_t i = 0; i < to.size(); ++i)
                    std::copy_n(P[i % P.size()].values[i / P.size()], P[i % P.size()].n, to[i]);
                std::copy_n(trainer.samples_since_fired.data(), trainer.n_latents(), counts);
                n_steps = trainer.n_steps;
                ema = trainer.ema_threshold;
            });
            py::dict found;
            for (std::size_t i = 0; i < arrays.size(); ++i)
                found[py::str(kMoments[i / P.size()] + std::string(P[i % P.size()].name))] = arrays[i];
            found["n_steps"] = n_steps;
            found["samples_since_fired"] = since;
            found["ema_threshold"] = ema;
            return found;
        });
    }

    void load_state(const py::dict& state) {
        any([&](auto& trainer) {
            using T = std::remove_reference_t<decltype(*trainer.parameters()[0].values[0])>;
            const auto& P = trainer.parameters();
            std::vector<const T*> from;  // all is looked at before anything changes
            for (const char* moment : kMoments)
                for (const auto& p : P) {
                    const std::string name = moment + std::string(p.name);
                    from.push_back(input<T>(py::cast<Array>(state[py::str(name)]), p.n, name.c_str()));
                }
            std::vector<std::int64_t> since = numbers_of<std::int64_t>(py::cast<Array>(state["samples_since_fired"]));
            check(static_cast<Size>(since.size()) == trainer.n_latents(),
                  "samples_since_fired must have " + std::to_string(trainer.n_latents()) + " elements");
            const auto n_steps = py::cast<Size>(state["n_steps"]);
            const auto ema = py::cast<double>(state["ema_threshold"]);
            check(n_steps >= 0, "n_steps must be >= 0, got " + std::to_string(n_steps));
            exclusive_.look([&] {
                for (std::size_t i = 0; i < from.size(); ++i)
                    std::copy_n(from[i], P[i % P.size()].n, P[i % P.size()].values[i / P.size()]);
                trainer.n_steps = n_steps;
                trainer.ema_threshold = ema;
                trainer.samples_since_fired = std::move(since);
                trainer.changed();
            });
        });
    }

    /// A copy, or None where the architecture has none.
    py::object parameter(const char* name) const {
        return any([&](auto& trainer) -> py::object {
            using T = std::remove_reference_t<decltype(*trainer.parameters()[0].values[0])>;
            const auto& P = trainer.parameters();
            for (std::size_t i = 0; i < P.size(); ++i) {
                if (std::string(P[i].name) != name) continue;
                Array to = like(trainer, i);
                auto* const data = static_cast<T*>(to.mutable_data());
                exclusive_.look([&] { std::copy_n(P[i].values[0], P[i].n, data); });
                return to;
            }
            return py::none();
        });
    }
    py::object threshold() const {
        return any([&](auto& trainer) -> py::object {
            if (trainer.rule().architecture != Architecture::batchtopk) return parameter("threshold");
            const double ema = exclusive_.look([&] { return trainer.ema_threshold; });
            return py::float_(std::isnan(ema) ? 0.0 : ema);
        });
    }
    std::string architecture() const {
        return any([](auto& trainer) { return kArchitectures[static_cast<int>(trainer.rule().architecture)]; });
    }
    Size n_steps() const {
        return any([&](auto& trainer) { return exclusive_.look([&] { return trainer.n_steps; }); });
    }
    Array samples_since_fired() const {
        return any([&](auto& trainer) {
            auto to = new_array<std::int64_t>({trainer.n_latents()});
            auto* const data = static_cast<std::int64_t*>(to.mutable_data());
            exclusive_.look([&] { std::copy_n(trainer.samples_since_fired.data(), trainer.n_latents(), data); });
            return to;
        });
    }
};

}  // namespace

void bind_ksparse_training(py::module_& m) {
    using py::arg;
    py::class_<KSparseTrainer> trainer(m, "KSparseTrainer");
    trainer
        .def(py::init<const Array&, const py::object&, const py::object&, const py::object&, const py::object&,
                      const py::object&, const py::object&, const std::string&, const py::object&, bool, bool, double,
                      double, double, bool, double>(),
             arg("W_enc"), arg("b_enc"), arg("W_dec"), arg("b_dec"), arg("threshold") = py::none(),
             arg("b_gate") = py::none(), arg("r_mag") = py::none(), py::kw_only(), arg("architecture") = "topk",
             arg("groups") = py::none(), arg("unit_norm") = true, arg("project") = true, arg("beta1") = 0.9,
             arg("beta2") = 0.999, arg("epsilon") = 1e-8, arg("tied_b_dec") = true, arg("threshold_momentum") = 0.99)
        .def("step", &KSparseTrainer::step, arg("X"), py::kw_only(), arg("learning_rate"), arg("n_threads") = 0,
             arg("unit") = 1.0, arg("k") = 0, arg("l1") = 0.0, arg("l0") = 0.0, arg("bandwidth") = 1e-3,
             arg("aux_k") = 0, arg("aux_weight") = 0.0, arg("aux_normalized") = true, arg("dead_after") = 10'000'000,
             arg("multi_k") = 0, arg("multi_weight") = 0.125, arg("loss_normalized") = false, arg("clip") = py::none(),
             "One step by a minibatch X (n_samples, n_features).")
        .def("state", &KSparseTrainer::state)
        .def("load_state", &KSparseTrainer::load_state, arg("state"))
        .def_property_readonly("threshold", &KSparseTrainer::threshold)
        .def_property_readonly("architecture", &KSparseTrainer::architecture)
        .def_property_readonly("n_steps", &KSparseTrainer::n_steps)
        .def_property_readonly("samples_since_fired", &KSparseTrainer::samples_since_fired);
    for (const char* name : {"W_enc", "b_enc", "W_dec", "b_dec", "b_gate", "r_mag"})
        trainer.def_property_readonly(name, [name](const KSparseTrainer& t) { return t.parameter(name); });
}

}  // namespace sae_fast::bindings
