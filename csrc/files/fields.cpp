#include "fields.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>

namespace sae_fast::files {

namespace {

template <class Facts, std::size_t n, class Fits>
std::string names_of(const Facts (&all)[n], Fits fits) {
    std::string names;
    for (const Facts& one : all)
        if (fits(one)) names += (names.empty() ? "'" : ", '") + std::string(one.name) + "'";
    return names;
}

bool may_be_hidden(const UnitFacts& unit) noexcept { return unit.low > -kInfinity; }

}  // namespace

void refuse(const std::string& name, const std::string& wanted, const Json& value) {
    throw Refused{name + " must be " + wanted + ", got " + shortened(value)};
}

const Json& entry(const std::string& of, const Json& object, const char* name) {
    const Json* found = object.find(name);
    if (found == nullptr) throw Refused{of + name + " is missing"};
    return *found;
}

void check_entries(const std::string& name, const Json& value, const std::vector<std::string>& wanted) {
    const Object* object = value.as<Object>();
    const bool good = object != nullptr && object->size() == wanted.size() &&
                      std::all_of(wanted.begin(), wanted.end(),
                                  [&](const std::string& field) { return value.find(field) != nullptr; });
    if (good) return;
    std::string words = "an object with ";
    for (const std::string& field : wanted) words += (&field == &wanted.front() ? "" : ", ") + field;
    refuse(name, words, value);
}

const std::string& check_text(const std::string& name, const Json& value) {
    const std::string* text = value.as<std::string>();
    if (text == nullptr) refuse(name, "a text", value);
    return *text;
}

Unit check_output(const std::string& name, const Json& value) {
    const std::string& text = check_text(name, value);
    for (std::size_t i = 0; i < std::size(kUnits); ++i)
        if (text == kUnits[i].name) return static_cast<Unit>(i);
    refuse(name, "one of " + names_of(kUnits, [](const UnitFacts&) { return true; }), value);
}

Unit check_hidden(const std::string& name, const Json& value) {
    const std::string& text = check_text(name, value);
    for (std::size_t i = 0; i < std::size(kUnits); ++i)
        if (text == kUnits[i].name && may_be_hidden(kUnits[i])) return static_cast<Unit>(i);
    refuse(name, "one of " + names_of(kUnits, may_be_hidden), value);
}

std::vector<Unit> check_units(const std::string& name, const Json& value) {
    const List* list = value.as<List>();
    if (list == nullptr || list->empty()) refuse(name, "a list of units, at least one", value);
    std::vector<Unit> units;
    for (const Json& unit : *list) units.push_back(check_hidden(name, unit));
    return units;
}

std::vector<std::string> check_names(const std::string& name, const Json& value, std::size_t n) {
    if (value.as<std::nullptr_t>() != nullptr) return {};
    const List* list = value.as<List>();
    const std::string wanted = "a list of " + std::to_string(n) + " names";
    if (list == nullptr || list->size() != n) refuse(name, wanted, value);
    std::vector<std::string> names;
    for (const Json& text : *list) {
        if (text.as<std::string>() == nullptr) refuse(name, wanted, value);
        names.push_back(*text.as<std::string>());
    }
    return names;
}

void check_versions(const std::string& name, const Json& value) {
    const Object* object = value.as<Object>();
    const bool good = object != nullptr && std::all_of(object->begin(), object->end(), [](const Member& member) {
                          return member.value.as<std::string>() != nullptr;
                      });
    if (!good) refuse(name, "an object of texts", value);
}

void check_loss(const std::string& name, const Json& value, Unit output) {
    const std::string& text = check_text(name, value);
    const auto fits = [&](const LossFacts& loss) { return !loss.by_row && (loss.outputs & only(output)) != 0; };
    for (const LossFacts& loss : kLosses)
        if (text == loss.name && fits(loss)) return;
    refuse(name, "one of " + names_of(kLosses, fits) + " with " + facts(output).name + " outputs", value);
}

double check_number(const std::string& name, const Json& value, double low, double high) {
    const Integer* integer = value.as<Integer>();
    const double* real = value.as<double>();
    const double number = integer != nullptr ? integer->value : real != nullptr ? *real : kInfinity;
    const bool good = (integer != nullptr || real != nullptr) && low <= number && number <= high;
    if (good) return number;
    const bool bounded = high < std::numeric_limits<double>::max();
    const std::string wanted = bounded    ? ", in [" + canonical_json({low}) + ", " + canonical_json({high}) + "]"
                               : low >= 0 ? ", >= 0 and finite"
                                          : ", finite";
    refuse(name, "a number" + wanted, value);
}

void check_integer(const std::string& name, const Json& value) {
    constexpr std::string_view most = "9223372036854775807";
    const Integer* integer = value.as<Integer>();
    const std::string_view digits = integer == nullptr ? "-" : std::string_view(integer->digits);
    const bool fits = digits.size() < most.size() || (digits.size() == most.size() && digits <= most);
    if (digits.front() == '-' || !fits) refuse(name, "an integer >= 0", value);
}

void check_rho(const std::string& name, const Json& value) {
    const double number = check_number(name, value, 0, 1);
    if (number <= 0 || number >= 1) refuse(name, "in (0, 1)", value);
}

}  // namespace sae_fast::files
