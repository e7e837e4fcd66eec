// The container: a header of JSON, and arrays behind it without a gap, in the order of their offsets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "json.hpp"

namespace sae_fast::files {

/// Bytes of an array in the file, little-endian, C order. Models of this format hold F32 and F64 alone.
struct Tensor {
    std::string type;
    std::vector<std::uint64_t> shape;
    std::string_view bytes;

    bool is_double() const noexcept { return type == "F64"; }
    std::size_t size() const noexcept { return bytes.size() / (is_double() ? 8 : 4); }
    /// Element i of F32 or F64.
    double at(std::size_t i) const noexcept;
    /// As Python's tuple: (3, 4) or (3,).
    std::string shape_text() const;
};

struct Container {
    std::string metadata;  // the text of the entry "sae_fast"
    std::map<std::string, Tensor> tensors;
};

/// The bytes of the file at `path`: header and arrays, no more than the header tells of, whatever is at the path.
/// Throws Refused if it cannot be read, is no such file, is cut short or has something behind its end.
std::string read_container(const std::string& path);

/// What the bytes hold; views into them. Throws Refused.
Container parse_container(std::string_view bytes);

}  // namespace sae_fast::files
