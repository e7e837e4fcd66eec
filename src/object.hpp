// What every class that Python sees has in common. An object made by __new__ alone, or copied by who knows what, has no
// C++ object inside: pybind11 would hand out fresh memory for it.
#pragma once

#include <pybind11/pybind11.h>

#include <mutex>
#include <string>
#include <utility>

namespace sae_fast::bindings {

/// Base of every class that Python sees.
struct PythonObject {};

/// State that only one call at a time may work on. Waits without the GIL, since who works may ask for it.
class Exclusive {
public:
    template <class Work>
    auto alone(Work work) const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return work();
    }
    /// The same for a caller that holds the GIL.
    template <class Work>
    auto look(Work work) const {
        const pybind11::gil_scoped_release release;
        return alone(work);
    }

private:
    mutable std::mutex mutex_;
};

/// TypeError instead of pickles and copies of the classes in m. For pickle's first two protocols Python would build an
/// object of pybind11's own base class, which ends the process. Classes in Python that derive from these say how.
inline void refuse_pickles(const pybind11::module_& m) {
    for (const auto& item : pybind11::reinterpret_borrow<pybind11::dict>(m.attr("__dict__"))) {
        if (PyType_Check(item.second.ptr()) == 0) continue;
        const auto refuse = [](const pybind11::object& self) -> pybind11::object {
            throw pybind11::type_error(std::string("cannot pickle or copy a ") + Py_TYPE(self.ptr())->tp_name);
        };
        pybind11::setattr(
            item.second, "__reduce__",
            pybind11::cpp_function(refuse, pybind11::name("__reduce__"), pybind11::is_method(item.second)));
    }
}

/// The object of class T in self, which Python knows to be an instance, for methods of Python's own kind.
template <class T>
T& object_in(PyObject* self) {
    const auto* const instance = reinterpret_cast<const pybind11::detail::instance*>(self);
    if (instance->simple_layout && instance->simple_holder_constructed)
        return *static_cast<T*>(instance->simple_value_holder[0]);
    return pybind11::cast<T&>(pybind11::handle(self));  // of several bases, or not initialised, which is an error
}

}  // namespace sae_fast::bindings

namespace pybind11::detail {

template <class T>
class type_caster<T, std::enable_if_t<std::is_base_of_v<sae_fast::bindings::PythonObject, T>>>
    : public type_caster_base<T> {
public:
    bool load(handle source, bool convert) { return this->template load_impl<type_caster>(source, convert); }
    // Called by load_impl, in place of the one that would allocate.
    void load_value(value_and_holder&& found) {
        if (!found.holder_constructed())
            throw type_error(std::string(Py_TYPE(reinterpret_cast<PyObject*>(found.inst))->tp_name) +
                             " object must be initialised before it is used: its __init__ has not run");
        type_caster_base<T>::load_value(std::move(found));
    }
};

}  // namespace pybind11::detail
