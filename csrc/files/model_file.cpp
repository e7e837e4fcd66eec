#include "sae_fast/model_file.hpp"

#include <string_view>

#include "attempt.hpp"
#include "contents.hpp"
#include "json.hpp"
#include "safetensors.hpp"
#include "sha256.hpp"

namespace sae_fast {

namespace {

using namespace files;

/// SHA-256 over all tensors, and over all of the JSON but the checksum itself.
std::string checksum_of(const Container& container, const Json& about) {
    Sha256 digest;
    for (const auto& [name, tensor] : container.tensors) {  // in the order of their names
        digest.update(name + (tensor.is_double() ? " <f8 " : " <f4 ") + tensor.shape_text() + "\n");
        digest.update(tensor.bytes);
    }
    digest.update(canonical_json(about, "checksum"));
    return digest.hex_digest();
}

void check_not_newer(const Json& about) {
    const Json* format = about.find("format");
    const Integer* number = format == nullptr ? nullptr : format->as<Integer>();
    if (number != nullptr && number->value > kModelFormat)
        throw Refused{"has format " + shortened(*format) + " of a newer sae_fast; this one reads up to " +
                      std::to_string(kModelFormat) + ": upgrade sae_fast"};
}

Json fields_of(const std::string& text) {
    try {
        Json about = parse_json(text, Dialect::python);
        if (about.as<Object>() == nullptr) throw Refused{"its JSON is no object"};
        return about;
    } catch (const Refused& refused) {
        throw Refused{"is damaged: " + refused.words};
    }
}

ModelFile parse(std::string_view bytes, Clip clip) {
    const Container container = parse_container(bytes);
    const Json about = fields_of(container.metadata);
    check_not_newer(about);
    for (const auto& [name, tensor] : container.tensors)
        if (tensor.type != "F32" && tensor.type != "F64")
            throw Refused{"does not hold a model: a tensor must be F32 or F64, got " + shortened({tensor.type})};
    const std::string checksum = checksum_of(container, about);
#if !defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)  // what is behind it is fuzzed too
    const Json* stored = about.find("checksum");
    if (stored == nullptr || stored->as<std::string>() == nullptr || *stored->as<std::string>() != checksum)
        throw Refused{"is damaged: its checksum does not match its contents"};
#endif
    try {
        ModelFile file = model_of(container, about, clip);
        file.checksum = checksum;
        return file;
    } catch (const Refused& refused) {
        throw Refused{"does not hold a model that this reader takes: " + refused.words};
    }
}

}  // namespace

Result<ModelFile> parse_model_file(const void* data, std::size_t n_bytes, const std::string& name, Clip clip) noexcept {
    const std::string_view bytes(static_cast<const char*>(data), n_bytes);
    return attempt<ModelFile>(name, [&] { return parse(bytes, clip); });
}

Result<ModelFile> read_model_file(const std::string& path, Clip clip) noexcept {
    return attempt<ModelFile>(path, [&] { return parse(read_container(path), clip); });
}

}  // namespace sae_fast
