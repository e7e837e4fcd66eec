// Model files, as sae_fast writes them from Python: one safetensors file with arrays, and JSON in its header.
//
//     auto encoder = sae_fast::load_encoder<double>("model.safetensors");
//     if (!encoder) { std::fputs(encoder.error().c_str(), stderr); return 1; }
//     encoder->encode_one(x, codes);
//
// Files of an Encoder, of a StackEncoder, and of a single layer (SparseAutoencoder) with its scaling, which is folded
// into the weights. A file is verified as Python verifies it: its SHA-256, and that each field and tensor of its kind
// is there once, has the type, shape and range that it must have, and is finite. Anything else is an error, never a
// wrong encoder. Nothing here throws, and nothing depends on a library or on the locale.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "sae_fast/result.hpp"
#include "sae_fast/stack_encoder.hpp"
#include "sae_fast/types.hpp"

namespace sae_fast {

/// The newest format of model files that is read.
constexpr int kModelFormat = 3;

/// What to do with a scaling that cuts data (scale="ufldl"), which no layer can take over: refuse the file, or leave
/// the cut out. Codes of samples that the cut would not touch are the same.
enum class Clip : int { error = 0, ignore = 1 };

/// unit(x W^T + b); W: (n_out, n_in), row-major.
template <class T>
struct ModelLayer {
    Unit unit = Unit::sigmoid;
    Size n_in = 0, n_out = 0;
    std::vector<T> W, b;
};

/// What a model file holds, verified.
struct ModelFile {
    std::string kind;      // "SparseAutoencoder", "Encoder" or "StackEncoder"
    std::string checksum;  // SHA-256 of its contents, in hexadecimal
    /// Of the features; empty where they have none.
    std::vector<std::string> feature_names;
    /// Bottom up, in the type in which the file has them, float or double; a scaling is folded in.
    std::variant<std::vector<ModelLayer<float>>, std::vector<ModelLayer<double>>> layers;

    DType dtype() const noexcept { return layers.index() == 0 ? DType::float32 : DType::float64; }
};

Result<ModelFile> read_model_file(const std::string& path, Clip clip = Clip::error) noexcept;
/// The same of a file in memory; errors call it `name`.
Result<ModelFile> parse_model_file(const void* data, std::size_t n_bytes, const std::string& name = "model",
                                   Clip clip = Clip::error) noexcept;

/// The encoder in a model file. T must be the type of its weights: a file of float32 is an error for double, since its
/// codes would not be those of the model.
template <class T>
Result<StackEncoder<T>> make_encoder(const ModelFile& file) noexcept;

/// Both at once.
template <class T>
Result<StackEncoder<T>> load_encoder(const std::string& path, Clip clip = Clip::error) noexcept;

}  // namespace sae_fast
