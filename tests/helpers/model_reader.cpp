// The C++ reader of model files behind plain C functions, for tests in Python (tests/helpers/cpp_reader.py).
#include <algorithm>
#include <cstring>

#include "files/folding.hpp"
#include "sae_fast/model_file.hpp"

using namespace sae_fast;

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED Result<ModelFile>* model_parse(const void* data, std::size_t n_bytes, int clip) {
    return new Result<ModelFile>(parse_model_file(data, n_bytes, "model", static_cast<Clip>(clip)));
}

EXPORTED Result<ModelFile>* model_read(const char* path, int clip) {
    return new Result<ModelFile>(read_model_file(path, static_cast<Clip>(clip)));
}

EXPORTED void model_free(Result<ModelFile>* model) { delete model; }
EXPORTED int model_is_good(const Result<ModelFile>* model) { return static_cast<bool>(*model) ? 1 : 0; }
EXPORTED const char* model_error(const Result<ModelFile>* model) { return model->error().c_str(); }
EXPORTED const char* model_kind(const Result<ModelFile>* model) { return (*model)->kind.c_str(); }
EXPORTED const char* model_checksum(const Result<ModelFile>* model) { return (*model)->checksum.c_str(); }
EXPORTED int model_is_double(const Result<ModelFile>* model) { return (*model)->dtype() == DType::float64 ? 1 : 0; }
EXPORTED std::size_t model_n_names(const Result<ModelFile>* model) { return (*model)->feature_names.size(); }

/// Not ended by a zero: a name may hold one.
EXPORTED const char* model_name(const Result<ModelFile>* model, std::size_t i, std::size_t* size) {
    *size = (*model)->feature_names[i].size();
    return (*model)->feature_names[i].data();
}

EXPORTED std::size_t model_n_layers(const Result<ModelFile>* model) {
    return std::visit([](const auto& layers) { return layers.size(); }, (*model)->layers);
}

/// Numbers of inputs and outputs, and the unit's name.
EXPORTED const char* model_layer(const Result<ModelFile>* model, std::size_t k, Size* sizes) {
    return std::visit(
        [&](const auto& layers) {
            sizes[0] = layers[k].n_in, sizes[1] = layers[k].n_out;
            return facts(layers[k].unit).name;
        },
        (*model)->layers);
}

EXPORTED void model_arrays(const Result<ModelFile>* model, std::size_t k, void* W, void* b) {
    std::visit(
        [&](const auto& layers) {
            const auto& layer = layers[k];
            std::memcpy(W, layer.W.data(), layer.W.size() * sizeof layer.W[0]);
            std::memcpy(b, layer.b.data(), layer.b.size() * sizeof layer.b[0]);
        },
        (*model)->layers);
}

EXPORTED double model_exact_sum(const double* terms, std::size_t n) { return files::exact_sum({terms, terms + n}); }
