// Samples that Python hands over block by block, to a call that runs without the GIL.
#pragma once

#include "array.hpp"
#include "sae_fast/network.hpp"

namespace sae_fast::bindings {

/// Any object whose len() is its number of samples, and which gives, as often as it is iterated over, the same arrays
/// (some samples, n_features). What it raises goes through the call that reads.
class PythonSource final : public SampleSource {
public:
    PythonSource(py::object source, Size n_features)
        : source_(std::move(source)), n_samples_(static_cast<Size>(py::len(source_))), n_features_(n_features) {
        if (n_samples_ < 1) throw py::value_error("the source must have at least one sample");
    }

    Samples all() const noexcept {
        Samples view;
        view.n_samples = n_samples_;
        view.n_features = n_features_;
        return view;
    }

    void begin() override {
        const py::gil_scoped_acquire acquire;
        blocks_ = py::iter(source_);
    }
    Samples next() override {
        const py::gil_scoped_acquire acquire;
        block_ = py::object();
        while (PyObject* const found = PyIter_Next(blocks_.ptr())) {
            block_ = py::reinterpret_steal<py::object>(found);
            if (!py::isinstance<Array>(block_)) throw py::type_error("a source must give arrays");
            const Samples view = samples(py::reinterpret_borrow<Array>(block_), n_features_);
            if (view.n_samples > 0) return view;
        }
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        return {};
    }
    void end() noexcept override {
        const py::gil_scoped_acquire acquire;
        block_ = py::object();
        blocks_ = py::object();
    }

private:
    py::object source_, blocks_, block_;
    Size n_samples_, n_features_;
};

}  // namespace sae_fast::bindings
