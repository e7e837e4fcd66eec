#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "json.hpp"

namespace sae_fast::files {

namespace {

/// As Python's repr: the fewest digits that tell the number, with an exponent below 1e-4 and from 1e16 on.
std::string digits_of(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value), std::chars_format::scientific).ptr;
    const std::string_view found(buffer, static_cast<std::size_t>(end - buffer));  // d.ddde-dd
    const std::size_t e = found.find('e');
    int exponent = 0;
    std::from_chars(found.data() + e + (found[e + 1] == '+' ? 2 : 1), end, exponent);
    std::string digits(1, found[0]);
    if (e > 2) digits += found.substr(2, e - 2);
    const std::string sign = std::signbit(value) ? "-" : "";
    const int n = static_cast<int>(digits.size());
    if (exponent < -4 || exponent >= 16) {
        const std::string tail = digits.size() > 1 ? "." + digits.substr(1) : "";
        const std::string size = std::to_string(std::abs(exponent));
        return sign + digits[0] + tail + (exponent < 0 ? "e-" : "e+") + (size.size() < 2 ? "0" : "") + size;
    }
    if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    if (n <= exponent + 1) return sign + digits + std::string(static_cast<std::size_t>(exponent + 1 - n), '0') + ".0";
    const std::size_t point = static_cast<std::size_t>(exponent) + 1;
    return sign + digits.substr(0, point) + "." + digits.substr(point);
}

void escape(std::string& to, std::uint32_t unit) {
    to += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) to += "0123456789abcdef"[unit >> shift & 0xf];
}

void write_text(std::string& to, const std::string& text) {
    constexpr std::string_view special = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
    to += '"';
    for (std::size_t i = 0; i < text.size();) {
        const unsigned char first = static_cast<unsigned char>(text[i]);
        const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
        std::uint32_t code = more > 0 ? first & (0x3fU >> more) : first;
        for (std::size_t k = 1; k <= more; ++k) code = code << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3f);
        i += 1 + more;
        const std::size_t which = code < 0x80 ? special.find(static_cast<char>(code)) : std::string_view::npos;
        if (which != std::string_view::npos) {
            (to += '\\') += letters[which];
        } else if (code >= 0x20 && code < 0x7f) {
            to += static_cast<char>(code);
        } else if (code < 0x10000) {
            escape(to, code);
        } else {
            escape(to, 0xd800 + ((code - 0x10000) >> 10));
            escape(to, 0xdc00 + ((code - 0x10000) & 0x3ff));
        }
    }
    to += '"';
}

class Writer {
public:
    Writer(std::string& to, std::string_view left_out) noexcept : to_(to), left_out_(left_out) {}

    void operator()(std::nullptr_t) { to_ += "null"; }
    void operator()(bool value) { to_ += value ? "true" : "false"; }
    void operator()(const Integer& value) { to_ += value.digits; }
    void operator()(double value) { to_ += digits_of(value); }
    void operator()(const std::string& value) { write_text(to_, value); }

    void operator()(const List& items) {
        to_ += '[';
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i > 0) to_ += ", ";
            std::visit(Writer(to_, {}), items[i].value);
        }
        to_ += ']';
    }

    void operator()(const Object& members) {
        std::vector<const Member*> sorted;
        for (const Member& member : members)
            if (left_out_.empty() || member.name != left_out_) sorted.push_back(&member);
        // Bytes of UTF-8 are in the order of the characters, which is Python's.
        std::sort(sorted.begin(), sorted.end(), [](const Member* a, const Member* b) { return a->name < b->name; });
        to_ += '{';
        for (std::size_t i = 0; i < sorted.size(); ++i) {
            if (i > 0) to_ += ", ";
            write_text(to_, sorted[i]->name);
            to_ += ": ";
            std::visit(Writer(to_, {}), sorted[i]->value.value);
        }
        to_ += '}';
    }

private:
    std::string& to_;
    std::string_view left_out_;
};

}  // namespace

std::string canonical_json(const Json& value, std::string_view left_out) {
    std::string text;
    std::visit(Writer(text, left_out), value.value);
    return text;
}

std::string shortened(const Json& value) {
    constexpr std::size_t most = 60;
    if (const List* items = value.as<List>(); items != nullptr && items->size() > 4)
        return "a list of " + std::to_string(items->size());
    if (value.as<Object>() != nullptr) return "an object";
    std::string text = canonical_json(value);  // ASCII alone
    if (text.size() > most) text = text.substr(0, most - 3) + "...";
    return text;
}

}  // namespace sae_fast::files
