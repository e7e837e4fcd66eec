// Alone beside the reader in that it needs the rest of the core.
#include "attempt.hpp"
#include "sae_fast/isa.hpp"
#include "sae_fast/model_file.hpp"

namespace sae_fast {

namespace {

using files::Refused, files::attempt;

template <class T>
StackEncoder<T> encoder_of(const ModelFile& file) {
    const auto* layers = std::get_if<std::vector<ModelLayer<T>>>(&file.layers);
    if (layers == nullptr) {
        const bool is_double = file.dtype() == DType::float64;
        throw Refused{std::string("holds weights of ") + (is_double ? "float64" : "float32") + ": take load_encoder<" +
                      (is_double ? "double>" : "float>")};
    }
    isa();  // throws where the kernels, which do not, would end the process
    std::vector<Encoder<T>> encoders;
    encoders.reserve(layers->size());
    for (const ModelLayer<T>& layer : *layers)
        encoders.emplace_back(layer.W.data(), layer.b.data(), layer.n_in, layer.n_out, layer.unit);
    return StackEncoder<T>(std::move(encoders));
}

}  // namespace

template <class T>
Result<StackEncoder<T>> make_encoder(const ModelFile& file) noexcept {
    return attempt<StackEncoder<T>>("the model", [&] { return encoder_of<T>(file); });
}

template <class T>
Result<StackEncoder<T>> load_encoder(const std::string& path, Clip clip) noexcept {
    Result<ModelFile> file = read_model_file(path, clip);
    if (!file) return Result<StackEncoder<T>>::failed(std::move(file));
    return attempt<StackEncoder<T>>(path, [&] { return encoder_of<T>(*file); });
}

template Result<StackEncoder<float>> make_encoder(const ModelFile&) noexcept;
template Result<StackEncoder<double>> make_encoder(const ModelFile&) noexcept;
template Result<StackEncoder<float>> load_encoder(const std::string&, Clip) noexcept;
template Result<StackEncoder<double>> load_encoder(const std::string&, Clip) noexcept;

}  // namespace sae_fast
