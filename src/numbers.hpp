// Units and losses, which Python calls by name and the core by number: both ways between them.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>

#include "sae_fast/types.hpp"

namespace sae_fast::bindings {

/// Names of a table, in its order.
template <class Facts, std::size_t N>
pybind11::tuple names_of(const Facts (&table)[N]) {
    pybind11::tuple names(N);
    for (std::size_t i = 0; i < N; ++i) names[i] = table[i].name;
    return names;
}

/// The number of a name in a table, -1 if it is not there.
template <class Facts, std::size_t N>
int number_of(pybind11::handle name, const Facts (&table)[N]) {
    if (!PyUnicode_Check(name.ptr())) return -1;
    for (std::size_t i = 0; i < N; ++i)
        if (PyUnicode_CompareWithASCIIString(name.ptr(), table[i].name) == 0) return static_cast<int>(i);
    return -1;
}

/// A unit or loss by its number; ValueError where there is none.
template <class Enum, class Facts, std::size_t N>
Enum by_number(int number, const Facts (&)[N]) {
    if (number < 0 || number >= static_cast<int>(N)) throw pybind11::value_error("there is no such unit or loss");
    return static_cast<Enum>(number);
}
inline Unit unit_of(int number) { return by_number<Unit>(number, kUnits); }
inline Loss loss_of(int number) { return by_number<Loss>(number, kLosses); }

}  // namespace sae_fast::bindings
