// Checks of single fields in the JSON of model files, as sae_fast/files/_model_fields.py and _model_parameters.py have
// them: each takes the field's name and value, and throws Refused or returns.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "json.hpp"
#include "sae_fast/types.hpp"

namespace sae_fast::files {

/// `name must be wanted, got value`.
[[noreturn]] void refuse(const std::string& name, const std::string& wanted, const Json& value);

/// The entry of an object that has it; throws where it is missing.
const Json& entry(const std::string& of, const Json& object, const char* name);
/// An object with just these entries.
void check_entries(const std::string& name, const Json& value, const std::vector<std::string>& wanted);

const std::string& check_text(const std::string& name, const Json& value);
Unit check_output(const std::string& name, const Json& value);
/// Any unit but linear.
Unit check_hidden(const std::string& name, const Json& value);
/// At least one.
std::vector<Unit> check_units(const std::string& name, const Json& value);
/// A list of n texts, or null, which gives none of them.
std::vector<std::string> check_names(const std::string& name, const Json& value, std::size_t n);
void check_versions(const std::string& name, const Json& value);
/// A loss that compares with real targets and that these outputs serve.
void check_loss(const std::string& name, const Json& value, Unit output);

/// Not a truth value; low <= value <= high.
double check_number(const std::string& name, const Json& value, double low, double high);
/// 0 <= value < 2^63.
void check_integer(const std::string& name, const Json& value);
/// In (0, 1).
void check_rho(const std::string& name, const Json& value);

/// Those of SparseAutoencoder, of which unknown ones may be of a newer version.
void check_hyper_parameters(const std::string& name, const Json& value);

/// The format that a file with these fields must have: the oldest one that can hold them.
int format_of(const Json& about);

}  // namespace sae_fast::files
