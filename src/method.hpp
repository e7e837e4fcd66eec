// Functions of Python's own kind, for calls so short that pybind11's reading of arguments would be a good part of them.
#pragma once

#include <pybind11/pybind11.h>

#include <new>
#include <string>

namespace sae_fast::bindings {

/// A function of METH_FASTCALL as PyMethodDef wants it.
template <class Function>
PyCFunction as_method(Function* function) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

/// Arguments by position or by name; null where none was given. TypeError as Python words it.
template <std::size_t N>
void read_arguments(const char* function, const char* const (&wanted)[N], PyObject* const* given, Py_ssize_t n_given,
                    PyObject* names, PyObject* (&read)[N]) {
    const auto refuse = [=](const std::string& why) { throw pybind11::type_error(function + ("() " + why)); };
    if (n_given > static_cast<Py_ssize_t>(N))
        refuse("takes at most " + std::to_string(N) + " arguments, got " + std::to_string(n_given));
    for (Py_ssize_t i = 0; i < n_given; ++i) read[i] = given[i];
    const Py_ssize_t n_names = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t k = 0; k < n_names; ++k) {
        PyObject* const key = PyTuple_GET_ITEM(names, k);
        std::size_t i = 0;
        while (i < N && PyUnicode_CompareWithASCIIString(key, wanted[i]) != 0) ++i;
        if (i == N) refuse("got an unexpected keyword argument " + pybind11::repr(key).cast<std::string>());
        if (read[i] != nullptr) refuse(std::string("got multiple values for argument '") + wanted[i] + "'");
        read[i] = given[n_given + k];
    }
}

/// work(), a new reference; what it throws becomes Python's exception, as pybind11 does it.
template <class Work>
PyObject* raising(Work work) noexcept {
    try {
        return work();
    } catch (pybind11::error_already_set& error) {
        error.restore();
    } catch (const pybind11::builtin_exception& error) {
        error.set_error();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return nullptr;
}

}  // namespace sae_fast::bindings
