// Any bytes as a model file. The checksum is left out by FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION, so that what is
// behind it is reached; everything else is as in a program.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "sae_fast/model_file.hpp"

using namespace sae_fast;

namespace {

void require(bool good) {
    if (!good) std::abort();
}

/// Sizes fit, and all numbers are finite.
template <class T>
void check(const std::vector<ModelLayer<T>>& layers) {
    require(!layers.empty());
    Size n_in = layers.front().n_in;
    for (const ModelLayer<T>& layer : layers) {
        require(layer.n_in == n_in && layer.n_in > 0 && layer.n_out > 0 && layer.unit != Unit::linear);
        require(layer.W.size() == static_cast<std::size_t>(layer.n_in * layer.n_out));
        require(layer.b.size() == static_cast<std::size_t>(layer.n_out));
        for (const T value : layer.W) require(std::isfinite(value));
        for (const T value : layer.b) require(std::isfinite(value));
        n_in = layer.n_out;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const Clip clip : {Clip::error, Clip::ignore}) {
        const Result<ModelFile> file = parse_model_file(data, size, "model", clip);
        if (file) {
            require(file.error().empty() && file->checksum.size() == 64);
            std::visit([](const auto& layers) { check(layers); }, file->layers);
        } else {
            require(file.error().rfind("model ", 0) == 0 && file.error().size() < 1000);
            for (const char c : file.error()) require(c >= ' ' && c <= '~');
        }
    }
    return 0;
}
