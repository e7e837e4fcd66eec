#include "contents.hpp"

#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "fields.hpp"
#include "folding.hpp"

namespace sae_fast::files {

namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kRounding = 1e-6;  // of means of numbers in [0, 1]
constexpr std::size_t kAny = static_cast<std::size_t>(-1);

/// Between what values are, and whether they may be infinite.
struct Range {
    double low = -kInfinity, high = kInfinity;
    bool finite = true;
};

/// Tensors and fields, and which of them nobody has asked for yet.
class Contents {
public:
    Contents(const Container& container, const Json& about) : container_(container), about_(about) {
        for (const auto& [name, tensor] : container.tensors) tensors_.insert(name);
        for (const Member& member : *about.as<Object>()) fields_.insert(member.name);
    }

    const Json& field(const std::string& name) {
        fields_.erase(name);
        return entry("", about_, name.c_str());
    }
    const Json* optional(const std::string& name) {
        fields_.erase(name);
        return about_.find(name);
    }

    /// A tensor of this type and shape, kAny for a size that is free; without NaN.
    const Tensor& tensor(const std::string& name, const std::vector<std::size_t>& shape, bool is_double = true,
                         Range range = {}) {
        const auto found = container_.tensors.find(name);
        if (found == container_.tensors.end()) throw Refused{name + " is missing"};
        tensors_.erase(name);
        const Tensor& tensor = found->second;
        if (tensor.is_double() != is_double)
            throw Refused{name + " must have dtype " + (is_double ? "float64" : "float32")};
        bool fits = tensor.shape.size() == shape.size();
        for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] == kAny || tensor.shape[i] == shape[i];
        if (!fits) throw Refused{name + " must have another shape than " + tensor.shape_text()};
        for (std::size_t i = 0; i < tensor.size(); ++i) {
            const double value = tensor.at(i);
            if (std::isnan(value) || (range.finite && std::isinf(value)))
                throw Refused{name + " must be finite, got " + (std::isnan(value) ? "NaN" : "infinity")};
            if (!(range.low <= value && value <= range.high))
                throw Refused{name + " must be in [" + canonical_json({range.low}) + ", " +
                              canonical_json({range.high}) + "], got " + canonical_json({value})};
        }
        return tensor;
    }

    bool is_double(const std::string& name) const {
        const auto found = container_.tensors.find(name);
        return found != container_.tensors.end() && found->second.is_double();
    }

    void finish() const {
        if (!tensors_.empty())
            throw Refused{"it has a tensor " + shortened({*tensors_.begin()}) + " that its kind has not"};
        if (!fields_.empty())
            throw Refused{"it has a field " + shortened({*fields_.begin()}) + " that its kind has not"};
    }

private:
    const Container& container_;
    const Json& about_;
    std::set<std::string> tensors_, fields_;
};

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
    std::vector<T> values(tensor.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(tensor.at(i));
    return values;
}

template <class T>
ModelLayer<T> layer_of(Contents& contents, const std::string& W, const std::string& b, Unit unit, std::size_t n_in) {
    constexpr bool is_double = sizeof(T) == 8;
    const Tensor& weights = contents.tensor(W, {kAny, n_in}, is_double);
    const std::size_t n_out = static_cast<std::size_t>(weights.shape[0]);
    if (weights.size() == 0) throw Refused{W + " must have no size of 0, got shape " + weights.shape_text()};
    const Tensor& bias = contents.tensor(b, {n_out}, is_double);
    return {unit, static_cast<Size>(weights.shape[1]), static_cast<Size>(n_out), values_of<T>(weights),
            values_of<T>(bias)};
}

/// Between what the activations of a unit are.
Range reach(Unit unit) noexcept {
    return has_bounded_mean(unit) ? Range{0, 1} : Range{facts(unit).low, facts(unit).high};
}

template <class T>
void take_scaling_over(Contents& contents, const Json& scale, ModelLayer<T>& layer, Clip clip) {
    const Json* kind = scale.find("kind");
    const std::string* name = kind == nullptr ? nullptr : kind->as<std::string>();
    const bool cuts = name != nullptr && *name == "ufldl";
    if (!cuts && (name == nullptr || *name != "minmax"))
        refuse("scale.kind", "'minmax' or 'ufldl'", kind == nullptr ? scale : *kind);
    check_entries("scale", scale,
                  cuts ? std::vector<std::string>{"kind", "low", "high", "limit"}
                       : std::vector<std::string>{"kind", "low", "high"});
    const double low = check_number("scale.low", *scale.find("low"), -1, 1);
    const double high = check_number("scale.high", *scale.find("high"), -1, 1);
    if (!(low < high)) refuse("scale.high", "more than scale.low", *scale.find("high"));
    const std::size_t n = static_cast<std::size_t>(layer.n_in);
    bool taken = false;
    if (cuts) {
        const double most = sizeof(T) == 8 ? kLargest : static_cast<double>(std::numeric_limits<float>::max());
        const double limit = check_number("scale.limit", *scale.find("limit"), 0, most);
        if (clip == Clip::error)
            throw Refused{
                "scale='ufldl' cuts data, which no layer does; Clip::ignore leaves the cut out, and codes of "
                "samples that it would not touch are the same"};
        taken = fold(UFLDLScale{low, high, limit}, layer);
    } else {
        const auto minimum = values_of<double>(contents.tensor("scale_minimum", {n}));
        const auto span = values_of<double>(contents.tensor("scale_span", {n}, true, {0, kInfinity}));
        taken = fold(UnitScale{low, high, minimum, span}, layer);
    }
    if (!taken)
        throw Refused{std::string("its scaling is one that weights of float") + (sizeof(T) == 8 ? "64" : "32") +
                      " cannot take over"};
}

/// Decoder, statistics and history of a single layer, which an encoder does not use.
void check_rest(Contents& contents, Unit hidden, std::size_t n_in, std::size_t n_out, bool is_double) {
    contents.tensor("W2", {n_in, n_out}, is_double);
    contents.tensor("b2", {n_in}, is_double);
    const Range range = reach(hidden);
    contents.tensor("rho_hat", {n_out}, true, {range.low - kRounding, range.high + kRounding});
    const Tensor& lowest = contents.tensor("unit_lowest", {n_out}, true, range);
    const Tensor& highest = contents.tensor("unit_highest", {n_out}, true, range);
    for (std::size_t i = 0; i < n_out; ++i)
        if (!(lowest.at(i) <= highest.at(i))) throw Refused{"unit_lowest must be <= unit_highest"};
    const Range with_infinity{-kInfinity, kInfinity, false};
    const Tensor& curve = contents.tensor("loss_curve", {kAny}, true, with_infinity);
    contents.tensor("loss_parts", {curve.size(), 3}, true, with_infinity);
    const Json& fitted = contents.field("fitted");
    check_entries("fitted", fitted, {"n_iter", "cost", "rho"});
    check_integer("fitted.n_iter", *fitted.find("n_iter"));
    const List* cost = fitted.find("cost")->as<List>();
    if (cost == nullptr || cost->size() != 4) refuse("fitted.cost", "a list of 4 numbers", *fitted.find("cost"));
    for (const Json& part : *cost) check_number("fitted.cost", part, -kLargest, kLargest);
    check_rho("fitted.rho", *fitted.find("rho"));
    check_hyper_parameters("hyper_parameters", contents.field("hyper_parameters"));
}

template <class T>
ModelLayer<T> single_layer(Contents& contents, const Json& about) {
    const Unit hidden = check_hidden("hidden", contents.field("hidden"));
    const Unit output = check_output("output", contents.field("output"));
    ModelLayer<T> layer = layer_of<T>(contents, "W1", "b1", hidden, kAny);
    if (format_of(about) > 2) check_loss("loss", contents.field("loss"), output);
    check_rest(contents, hidden, static_cast<std::size_t>(layer.n_in), layer.b.size(), sizeof(T) == 8);
    return layer;
}

template <class T>
std::vector<ModelLayer<T>> layers_of(Contents& contents, const std::string& kind, const Json& about) {
    if (kind == "Encoder")
        return {layer_of<T>(contents, "W1", "b1", check_hidden("hidden", contents.field("hidden")), kAny)};
    if (kind == "SparseAutoencoder") return {single_layer<T>(contents, about)};
    std::vector<ModelLayer<T>> layers;
    for (const Unit unit : check_units("units", contents.field("units"))) {
        const std::string prefix = "encoder." + std::to_string(layers.size());
        const std::size_t n_in = layers.empty() ? kAny : layers.back().b.size();
        layers.push_back(layer_of<T>(contents, prefix + ".W", prefix + ".b", unit, n_in));
    }
    return layers;
}

std::string kind_of(const Json& about) {
    const Json* kind = about.find("kind");
    if (kind == nullptr) return "SparseAutoencoder";
    const std::string* name = kind->as<std::string>();
    const std::string known = name == nullptr ? "" : *name;
    if (known != "SparseAutoencoder" && known != "Encoder" && known != "StackEncoder")
        throw Refused{"kind must be SparseAutoencoder, Encoder or StackEncoder, got " + shortened(*kind) +
                      "; others are read in Python alone, where sae_fast.fold(model).save(path) writes the encoder"};
    return known;
}

template <class T>
ModelFile typed_model(Contents& contents, const std::string& kind, const Json& about, Clip clip) {
    ModelFile file;
    file.kind = kind;
    std::vector<ModelLayer<T>> layers = layers_of<T>(contents, kind, about);
    const bool is_layer = kind == "SparseAutoencoder";
    const Json* names = is_layer ? &contents.field("feature_names") : contents.optional("feature_names");
    if (names != nullptr)
        file.feature_names = check_names("feature_names", *names, static_cast<std::size_t>(layers.front().n_in));
    const Integer* format = contents.field("format").as<Integer>();
    const std::string wanted = std::to_string(format_of(about));
    if (format == nullptr || format->digits != wanted) refuse("format", wanted, *about.find("format"));
    // Last, so that a file that is wrong besides is not said to be one that cuts.
    const Json* scale = is_layer ? contents.optional("scale") : nullptr;
    if (scale != nullptr) take_scaling_over(contents, *scale, layers.front(), clip);
    contents.finish();
    file.layers = std::move(layers);
    return file;
}

}  // namespace

ModelFile model_of(const Container& container, const Json& about, Clip clip) {
    const std::string kind = kind_of(about);
    Contents contents(container, about);
    contents.optional("kind");
    contents.optional("checksum");
    check_versions("versions", contents.field("versions"));
    const bool is_double = contents.is_double(kind == "StackEncoder" ? "encoder.0.W" : "W1");
    return is_double ? typed_model<double>(contents, kind, about, clip)
                     : typed_model<float>(contents, kind, about, clip);
}

}  // namespace sae_fast::files
