#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

#include "json.hpp"

namespace sae_fast::files {

namespace {

constexpr std::size_t kMostDigits = 4300;  // of an integer that Python reads

[[noreturn]] void refuse(const char* words) { throw Refused{words}; }

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

void append_utf8(std::string& text, std::uint32_t code) {
    const auto byte = [&](std::uint32_t bits) { text += static_cast<char>(bits); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
        byte(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            byte(0xe0 | code >> 12);
        } else {
            byte(0xf0 | code >> 18);
            byte(0x80 | (code >> 12 & 0x3f));
        }
        byte(0x80 | (code >> 6 & 0x3f));
    }
    byte(0x80 | (code & 0x3f));
}

/// Is all of it well-formed UTF-8, without halves of surrogate pairs?
bool is_utf8(std::string_view text) noexcept {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const end = p + text.size();
    while (p < end) {
        const unsigned char first = *p++;
        if (first < 0x80) continue;
        const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || end - p < more) return false;
        // The first byte bounds the second one: no form longer than need be, no surrogate, nothing beyond U+10FFFF.
        const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (*p < low || *p > high) return false;
        for (int i = 1; i < more; ++i)
            if (p[i] < 0x80 || p[i] > 0xbf) return false;
        p += more;
    }
    return true;
}

/// Is a number that no double holds near 0, rather than large? Its first digit that is not 0 tells, by its place.
bool is_tiny(std::string_view number) noexcept {
    const std::size_t e = std::min(number.find_first_of("eE"), number.size());
    const std::string_view digits = number.substr(0, e);
    const std::size_t point = std::min(digits.find('.'), digits.size());
    const std::size_t first = digits.find_first_of("123456789");
    long long exponent = 0;
    if (e < number.size()) {
        const std::string_view power = number.substr(e + (number[e + 1] == '+' ? 2 : 1));
        if (std::from_chars(power.data(), power.data() + power.size(), exponent).ec != std::errc())
            return power.front() == '-';
    }
    return static_cast<long long>(point) - static_cast<long long>(first) + exponent < 0;
}

/// The nearest double, which may be infinite.
double nearest(std::string_view number) noexcept {
    double value = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc()) return value;
    value = is_tiny(number) ? 0.0 : std::numeric_limits<double>::infinity();
    return number.front() == '-' ? -value : value;
}

class Parser {
public:
    Parser(std::string_view text, Dialect dialect) noexcept : rest_(text), python_(dialect == Dialect::python) {}

    Json parse() {
        Json value = any(0);
        skip_space();
        if (!rest_.empty()) refuse("there is something behind the end of its JSON");
        return value;
    }

private:
    std::string_view rest_;
    bool python_;

    char next() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
    void skip(std::size_t n) noexcept { rest_.remove_prefix(n); }
    void skip_space() noexcept { skip(std::min(rest_.find_first_not_of(" \t\n\r"), rest_.size())); }

    bool take(std::string_view word) noexcept {
        if (rest_.substr(0, word.size()) != word) return false;
        skip(word.size());
        return true;
    }

    bool take_after_space(char c) noexcept {
        skip_space();
        return take({&c, 1});
    }

    Json any(int depth) {
        if (depth > kDeepest) refuse("its JSON is nested too deeply");
        skip_space();
        if (next() == '{') return {object(depth)};
        if (next() == '[') return {list(depth)};
        if (next() == '"') return {text()};
        if (take("null")) return {nullptr};
        if (take("true")) return {true};
        if (take("false")) return {false};
        if (python_) {
            constexpr double infinity = std::numeric_limits<double>::infinity();
            if (take("NaN")) return {std::numeric_limits<double>::quiet_NaN()};
            if (take("Infinity")) return {infinity};
            if (take("-Infinity")) return {-infinity};
        }
        return number();
    }

    List list(int depth) {
        skip(1);
        List items;
        if (take_after_space(']')) return items;
        do items.push_back(any(depth + 1));
        while (take_after_space(','));
        if (!take(std::string_view("]"))) refuse("a list of its JSON has no end");
        return items;
    }

    Object object(int depth) {
        skip(1);
        Object members;
        if (take_after_space('}')) return members;
        do {
            skip_space();
            if (next() != '"') refuse("an object of its JSON has an entry without a name");
            std::string name = text();
            if (!take_after_space(':')) refuse("an object of its JSON has a name without a value");
            members.push_back({std::move(name), any(depth + 1)});
        } while (take_after_space(','));
        if (!take(std::string_view("}"))) refuse("an object of its JSON has no end");
        std::vector<std::string_view> names;
        for (const Member& member : members) names.push_back(member.name);
        std::sort(names.begin(), names.end());
        if (std::adjacent_find(names.begin(), names.end()) != names.end()) refuse("a name is there twice");
        return members;
    }

    Json number() {
        std::size_t n = next() == '-' ? 1 : 0;
        const auto at = [&](std::size_t i) { return i < rest_.size() ? rest_[i] : '\0'; };
        const auto digits = [&](std::size_t i) {
            while (is_digit(at(i))) ++i;
            return i;
        };
        if (!is_digit(at(n))) refuse("its JSON is not well-formed");
        n = at(n) == '0' ? n + 1 : digits(n);
        const std::size_t whole = n;
        if (at(n) == '.' && is_digit(at(n + 1))) n = digits(n + 1);
        if (at(n) == 'e' || at(n) == 'E') {
            const std::size_t sign = at(n + 1) == '+' || at(n + 1) == '-' ? 1 : 0;
            if (is_digit(at(n + 1 + sign))) n = digits(n + 1 + sign);
        }
        const std::string_view found = rest_.substr(0, n);
        skip(n);
        const double value = nearest(found);
        if (!python_ && value - value != 0) refuse("a number of its JSON is out of range");
        if (n > whole) return {value};
        const std::size_t sign = found.front() == '-' ? 1 : 0;
        if (found.size() - sign > kMostDigits) refuse("an integer of its JSON has too many digits");
        if (python_ && found == "-0") return {Integer{"0", 0.0}};
        return {Integer{std::string(found), value}};
    }

    std::string text() {
        skip(1);
        std::string found;
        for (;;) {
            const std::size_t n = std::min(rest_.find_first_of("\"\\"), rest_.size());
            const std::string_view plain = rest_.substr(0, n);
            for (const char c : plain)
                if (static_cast<unsigned char>(c) < 0x20) refuse("a text of its JSON has a control character");
            found += plain;
            skip(n);
            if (rest_.empty()) refuse("a text of its JSON has no end");
            if (take("\"")) return found;
            skip(1);
            escaped(found);
        }
    }

    void escaped(std::string& to) {
        const char c = next();
        if (c == '\0') refuse("a text of its JSON has no end");
        skip(1);
        constexpr std::string_view escapes = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        if (c != 'u') {
            const std::size_t which = escapes.find(c);
            if (which == std::string_view::npos) refuse("a text of its JSON has an unknown escape");
            to += meanings[which];
            return;
        }
        std::uint32_t code = four_digits(rest_);
        skip(4);
        const bool high = code >= 0xd800 && code < 0xdc00;
        if (high && rest_.substr(0, 2) == "\\u" && rest_.size() >= 6) {
            const std::uint32_t low = four_digits(rest_.substr(2));
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                skip(6);
            }
        }
        if (!python_ && code >= 0xd800 && code < 0xe000) refuse("a text of its JSON has half of a surrogate pair");
        append_utf8(to, code);
    }

    static std::uint32_t four_digits(std::string_view digits) {
        std::uint32_t code = 0;
        if (digits.size() < 4) refuse("a text of its JSON has an escape that is cut short");
        const auto end = std::from_chars(digits.data(), digits.data() + 4, code, 16).ptr;
        if (end != digits.data() + 4) refuse("a text of its JSON has an escape that is no number");
        return code;
    }
};

}  // namespace

Json parse_json(std::string_view text, Dialect dialect) {
    // What the outer JSON has decoded may hold halves of surrogate pairs; safetensors has none.
    if (!is_utf8(text)) refuse("its JSON is not UTF-8");
    return Parser(text, dialect).parse();
}

const Json* Json::find(std::string_view name) const noexcept {
    if (const Object* object = as<Object>())
        for (const Member& member : *object)
            if (member.name == name) return &member.value;
    return nullptr;
}

}  // namespace sae_fast::files
