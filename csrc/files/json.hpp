// JSON, read and written as Python's json module does it, since a checksum is over what Python writes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sae_fast::files {

/// What is wrong with a file. It does not leave this folder: whoever is called from outside returns the words.
struct Refused {
    std::string words;
};

struct Member;

/// The digits of an integer of any size, with its sign, and the nearest double (or infinity).
struct Integer {
    std::string digits;
    double value;
};

/// A value. Text is UTF-8, with halves of surrogate pairs that stand alone as three bytes each.
struct Json {
    std::variant<std::nullptr_t, bool, Integer, double, std::string, std::vector<Json>, std::vector<Member>> value;

    template <class T>
    const T* as() const noexcept {
        return std::get_if<T>(&value);
    }
    /// The entry of an object; null where there is none, or where this is no object.
    const Json* find(std::string_view name) const noexcept;
};

using List = std::vector<Json>;
using Object = std::vector<Member>;

struct Member {
    std::string name;
    Json value;
};

/// Which JSON: Python's, that has NaN, infinities and halves of surrogate pairs, or the strict one of safetensors.
enum class Dialect { python, strict };

/// The value that a text holds. Throws Refused: a text that is none, a name that an object has twice, or lists and
/// objects more than kDeepest in one another.
Json parse_json(std::string_view text, Dialect dialect);
constexpr int kDeepest = 120;

/// As json.dumps(value, sort_keys=True), without the entry `left_out` of the outermost object.
std::string canonical_json(const Json& value, std::string_view left_out = {});

/// For a message, never long.
std::string shortened(const Json& value);

}  // namespace sae_fast::files
