// Functions of Python's own kind, for calls so short that pybind11's reading of arguments would be a good part of them.
#pragma once

#include <pybind11/pybind11.h>

#include <new>

namespace sae_fast::bindings {

/// A function of METH_FASTCALL as PyMethodDef wants it.
template <class Function>
PyCFunction as_method(Function* function) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
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
