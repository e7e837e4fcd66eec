#include <algorithm>
#include <initializer_list>
#include <limits>
#include <string_view>

#include "fields.hpp"
#include "sae_fast/threads.hpp"

namespace sae_fast::files {

namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
using Check = void (*)(const std::string&, const Json&);

/// >= 1, of any size.
void check_count(const std::string& name, const Json& value) {
    const Integer* integer = value.as<Integer>();
    if (integer == nullptr || !(integer->value >= 1)) refuse(name, "an integer >= 1", value);
}

/// An integer in Python's sense, which truth values are.
bool is_integer(const Json& value) noexcept { return value.as<Integer>() != nullptr || value.as<bool>() != nullptr; }

void check_seed(const std::string& name, const Json& value) {
    const Integer* integer = value.as<Integer>();
    if (value.as<std::nullptr_t>() != nullptr) return;
    if (!is_integer(value) || (integer != nullptr && integer->value < 0))
        refuse(name, "an integer >= 0 or null", value);
}

void check_verbosity(const std::string& name, const Json& value) {
    if (!is_integer(value)) refuse(name, "an integer", value);
}

/// 0 and 1 are as good, as they are in Python.
void check_flag(const std::string& name, const Json& value) {
    const Integer* integer = value.as<Integer>();
    const double* real = value.as<double>();
    const double number = integer != nullptr ? integer->value : real != nullptr ? *real : -1;
    if (value.as<bool>() == nullptr && number != 0 && number != 1) refuse(name, "true or false", value);
}

void check_n_threads(const std::string& name, const Json& value) {
    const Integer* integer = value.as<Integer>();
    if (value.as<std::nullptr_t>() != nullptr) return;
    if (integer == nullptr || !(integer->value >= 1 && integer->value <= kMaxThreads))
        refuse(name, "an integer from 1 to " + std::to_string(kMaxThreads) + " or null", value);
}

void check_at_least_zero(const std::string& name, const Json& value) { check_number(name, value, 0, kLargest); }

void check_rate(const std::string& name, const Json& value) {
    if (value.as<std::nullptr_t>() != nullptr) return;
    if (check_number(name, value, 0, kLargest) <= 0) refuse(name, "> 0 and finite", value);
}

void check_momentum(const std::string& name, const Json& value) {
    if (check_number(name, value, 0, 1) >= 1) refuse(name, "in [0, 1)", value);
}

void check_one_of(const std::string& name, const Json& value, std::initializer_list<const char*> known) {
    const std::string& text = check_text(name, value);
    if (std::find(known.begin(), known.end(), text) != known.end()) return;
    std::string names;
    for (const char* one : known) names += (names.empty() ? "'" : ", '") + std::string(one) + "'";
    refuse(name, "one of " + names, value);
}

void check_scaling(const std::string& name, const Json& value) {
    check_one_of(name, value, {"none", "minmax", "ufldl"});
}

void check_solver(const std::string& name, const Json& value) { check_one_of(name, value, {"lbfgs", "adam", "sgd"}); }

struct Parameter {
    const char* name;
    Check check;
};

// Those of which one tells on another one are checked together, below.
constexpr Parameter kParameters[] = {
    {"n_components", check_count},
    {"rho", check_rho},
    {"beta", check_at_least_zero},
    {"l1", check_at_least_zero},
    {"weight_decay", check_at_least_zero},
    {"scale", check_scaling},
    {"solver", check_solver},
    {"max_iter", check_count},
    {"batch_size", check_count},
    {"learning_rate", check_rate},
    {"momentum", check_momentum},
    {"tol", check_at_least_zero},
    {"n_iter_no_change", check_count},
    {"early_stopping", check_flag},
    {"validation_fraction", check_rho},
    {"warm_start", check_flag},
    {"random_state", check_seed},
    {"n_threads", check_n_threads},
    {"verbose", check_verbosity},
};

struct Known {
    const char* field;
    std::vector<std::string_view> values;
};

/// Is it what files of formats 1 and 2 may have in this field?
bool is_old(const Json& value, const std::vector<std::string_view>& known) {
    const std::string* text = value.as<std::string>();
    return text != nullptr && std::find(known.begin(), known.end(), *text) != known.end();
}

/// Equal to 0, which false is too.
bool is_zero(const Json& value) noexcept {
    const Integer* integer = value.as<Integer>();
    const double* real = value.as<double>();
    const bool* truth = value.as<bool>();
    return integer != nullptr ? integer->value == 0 : real != nullptr ? *real == 0 : truth != nullptr && !*truth;
}

}  // namespace

void check_hyper_parameters(const std::string& name, const Json& value) {
    const std::string prefix = name + ".";
    if (value.as<Object>() == nullptr) refuse(name, "an object", value);
    for (const Parameter& parameter : kParameters)
        if (const Json* found = value.find(parameter.name)) parameter.check(prefix + parameter.name, *found);
    const Unit hidden = check_hidden(prefix + "hidden", entry(prefix, value, "hidden"));
    const Unit output = check_output(prefix + "output", entry(prefix, value, "output"));
    if (const Json* loss = value.find("loss")) check_loss(prefix + "loss", *loss, output);
    for (const char* needed : {"rho", "weight_decay"}) entry(prefix, value, needed);
    const Json& beta = entry(prefix, value, "beta");
    if (!is_zero(beta) && !has_bounded_mean(hidden))
        refuse(prefix + "beta", std::string("0 for hidden='") + facts(hidden).name + "'", beta);
}

int format_of(const Json& about) {
    const std::vector<std::string_view> units = {"sigmoid", "tanh", "linear"}, losses = {"squared"};
    const Known known[] = {{"hidden", units}, {"output", units}, {"units", units}, {"output_units", units}};
    for (const Json* fields : {&about, about.find("hyper_parameters")}) {
        if (fields == nullptr) continue;
        for (const Known& one : known) {
            const Json* value = fields->find(one.field);
            if (value == nullptr) continue;
            const List* several = value->as<List>();
            const bool old = several == nullptr ? is_old(*value, one.values)
                                                : std::all_of(several->begin(), several->end(),
                                                              [&](const Json& v) { return is_old(v, one.values); });
            if (!old) return 3;
        }
        const Json *loss = fields->find("loss"), *l1 = fields->find("l1");
        if ((loss != nullptr && !is_old(*loss, losses)) || (l1 != nullptr && !is_zero(*l1))) return 3;
    }
    const Json* kind = about.find("kind");
    const bool is_layer =
        kind == nullptr || (kind->as<std::string>() != nullptr && *kind->as<std::string>() == "SparseAutoencoder");
    return is_layer && about.find("scale") == nullptr ? 1 : 2;
}

}  // namespace sae_fast::files
