// What a model file of each kind holds, as sae_fast/files/_model_schema.py has it: every field and every tensor, with
// what it must be. One that its kind has not is an error, and so is one that is missing.
#pragma once

#include <string>

#include "json.hpp"
#include "sae_fast/model_file.hpp"
#include "safetensors.hpp"

namespace sae_fast::files {

/// The model that verified contents hold, its scaling folded in. Throws Refused.
ModelFile model_of(const Container& container, const Json& about, Clip clip);

}  // namespace sae_fast::files
