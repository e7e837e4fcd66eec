// Encoder. Its calls are short, so they are checked here and not in Python; one row keeps the GIL, which it holds for
// about the time that giving it away and taking it back would cost.
#include <memory>

#include "array.hpp"
#include "bindings.hpp"
#include "method.hpp"
#include "numbers.hpp"
#include "object.hpp"
#include "sae_fast/api.hpp"
#include "sae_fast/encoder.hpp"
#include "sae_fast/local_workspace.hpp"
#include "sae_fast/threads.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

class AnyEncoder : public PythonObject {
public:
    AnyEncoder(const Array& W1, const Array& b1, int hidden, py::object read) : read_(std::move(read)) {
        if (W1.ndim() != 2) throw py::value_error("W1 must have 2 dimensions");
        h_ = W1.shape(0);
        v_ = W1.shape(1);
        const Unit unit = unit_of(hidden);
        if (holds<float>(W1))
            make(f32_, W1, b1, unit);
        else
            make(f64_, W1, b1, unit);
    }

    /// For programs that do not go through Python; valid as long as this object.
    sae_fast_encoder* handle() const noexcept { return handle_.get(); }

    py::object call(const py::object& X, const py::object& out, const py::object& n_threads) const {
        return f32_ != nullptr ? many(*f32_, X, out, n_threads) : many(*f64_, X, out, n_threads);
    }
    py::object encode_one(const py::object& x, const py::object& out) const {
        return f32_ != nullptr ? one(*f32_, x, out) : one(*f64_, x, out);
    }
    /// encode_one of arrays that are just right; false for all others.
    bool encode_quickly(PyObject* x, PyObject* out) const noexcept {
        return v_ * h_ < kShort && (f32_ != nullptr ? quick(*f32_, x, out) : quick(*f64_, x, out));
    }

private:
    std::shared_ptr<const Encoder<float>> f32_;
    std::shared_ptr<const Encoder<double>> f64_;
    std::unique_ptr<sae_fast_encoder> handle_;
    Size h_ = 0, v_ = 0;
    py::object read_;  // Python's reader of all that is no plain array

    template <class T>
    void make(std::shared_ptr<const Encoder<T>>& encoder, const Array& W1, const Array& b1, Unit unit) {
        const T* const W = input<T>(W1, v_ * h_, "W1");
        encoder = std::make_shared<const Encoder<T>>(W, input<T>(b1, h_, "b1"), v_, h_, unit);
        handle_ = std::make_unique<sae_fast_encoder>(StackEncoder<T>({encoder}));
    }

    static int threads(const py::object& n_threads) {
        if (n_threads.is_none()) return 0;
        const bool integer = PyIndex_Check(n_threads.ptr()) != 0 && !PyBool_Check(n_threads.ptr());
        if (!integer) throw py::type_error("n_threads must be an integer or None, got " + text(n_threads));
        const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(n_threads.ptr()));
        if (!number) throw py::error_already_set();
        int overflow = 0;
        const long n = PyLong_AsLongAndOverflow(number.ptr(), &overflow);
        if (overflow != 0 || n < 1 || n > kMaxThreads)
            throw py::value_error("n_threads must be >= 1 (and at most " + std::to_string(kMaxThreads) +
                                  ") or None, got " + text(n_threads));
        return static_cast<int>(n);
    }

    template <class T>
    py::object many(const Encoder<T>& encoder, const py::object& X, const py::object& out,
                    const py::object& n_threads) const {
        const int n = threads(n_threads);
        const Array data = real_array(X, read_, "X");
        if (data.ndim() != 2 || data.shape(1) != v_)
            throw py::value_error("X must have shape (n_samples, " + std::to_string(v_) + "), got " + shape_text(data));
        if (data.shape(0) < 1) throw py::value_error("X must have at least one sample, got shape " + shape_text(data));
        const Samples x = samples(data, v_);
        Array result =
            out.is_none() ? new_array<T>({data.shape(0), h_}) : checked_output<T>(out, {data.shape(0), h_}, data);
        T* to = static_cast<T*>(result.mutable_data());
        if (x.n_samples * v_ * h_ < kShort) {
            LocalWorkspace workspace;
            encoder.encode(x, to, h_, n, workspace.get());
        } else {
            unlocked([&] {
                LocalWorkspace workspace;
                encoder.encode(x, to, h_, n, workspace.get());
            });
        }
        return std::move(result);
    }

    template <class T>
    bool quick(const Encoder<T>& encoder, PyObject* x, PyObject* out) const noexcept {
        if (!is_plain_array(x)) return false;
        const T* const from = plain_data<T>(x, {v_, 0}, false);
        T* const to = plain_data<T>(out, {h_, 0}, true);
        if (from == nullptr || to == nullptr || !is_aligned(from)) return false;
        const Size size = sizeof(T);
        if (Extent(from, v_ * size).meets(Extent(to, h_ * size))) return false;
        encoder.encode_one(from, to);
        return true;
    }

    template <class T>
    py::object one(const Encoder<T>& encoder, const py::object& x, const py::object& out) const {
        const Array data = real_array(x, read_, "x");
        if (data.ndim() != 1 || data.shape(0) != v_)
            throw py::value_error("x must have shape (" + std::to_string(v_) + ",), got " + shape_text(data));
        Array result = out.is_none() ? new_array<T>({h_}) : checked_output<T>(out, {h_}, data);
        T* to = static_cast<T*>(result.mutable_data());
        if (is_plain<T>(data)) {
            if (v_ * h_ < kShort) {
                encoder.encode_one(static_cast<const T*>(data.data()), to);
            } else {
                const py::gil_scoped_release release;
                encoder.encode_one(static_cast<const T*>(data.data()), to);
            }
        } else {
            LocalWorkspace workspace;
            encoder.encode(one_sample(data), to, h_, 1, workspace.get());
        }
        return std::move(result);
    }
};

// A handle that the capsule frees.
py::capsule stack_handle(const std::vector<const AnyEncoder*>& layers) {
    std::vector<const sae_fast_encoder*> parts;
    for (const AnyEncoder* layer : layers) parts.push_back(layer->handle());
    sae_fast_encoder* const stack = api().encoder_stack(parts.data(), static_cast<Size>(parts.size()));
    if (stack == nullptr) throw py::value_error("layers must be of one dtype and fit on each other");
    return py::capsule(stack, SAE_FAST_ENCODER_CAPSULE, [](PyObject* capsule) {
        api().encoder_free(static_cast<sae_fast_encoder*>(PyCapsule_GetPointer(capsule, SAE_FAST_ENCODER_CAPSULE)));
    });
}

// One sample, with x and out by position or by name: a method of Python's own kind, since pybind11's reading of
// arguments takes as long as a small layer.
PyObject* encode_one(PyObject* self, PyObject* const* given, Py_ssize_t n_given, PyObject* names) noexcept {
    return raising([=] {
        PyObject* read[2] = {nullptr, nullptr};
        read_arguments("encode_one", {"x", "out"}, given, n_given, names, read);
        if (read[0] == nullptr) throw py::type_error("encode_one() missing argument 'x'");
        PyObject* const out = read[1] == nullptr ? Py_None : read[1];
        const auto& encoder = object_in<const AnyEncoder>(self);
        if (encoder.encode_quickly(read[0], out)) return Py_NewRef(out);
        return encoder.encode_one(py::reinterpret_borrow<py::object>(read[0]), py::reinterpret_borrow<py::object>(out))
            .release()
            .ptr();
    });
}

}  // namespace

void bind_encoder(py::module_& m) {
    py::class_<AnyEncoder> type(m, "Encoder");
    type.def(py::init<const Array&, const Array&, int, py::object>(), py::arg("W1"), py::arg("b1"), py::arg("hidden"),
             py::arg("read"))
        .def("__call__", &AnyEncoder::call, py::arg("X"), py::arg("out") = py::none(),
             py::arg("n_threads") = py::none(),
             "Codes (n_samples, n_hidden) of X (n_samples, n_visible), any real dtype and strides; out if given.")
        .def_property_readonly(
            "_handle", [](const AnyEncoder& self) { return py::capsule(self.handle(), SAE_FAST_ENCODER_CAPSULE); });
    m.def("stack_handle", &stack_handle, py::arg("layers"));
    m.attr("api") = py::capsule(&api(), SAE_FAST_API_CAPSULE);
    static PyMethodDef method = {"encode_one", as_method(encode_one), METH_FASTCALL | METH_KEYWORDS,
                                 "encode_one($self, /, x, out=None)\n--\n\n"
                                 "Code (n_hidden,) of one sample x (n_visible,), on the calling thread; out if given."};
    type.attr("encode_one") =
        py::reinterpret_steal<py::object>(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), &method));
}

}  // namespace sae_fast::bindings
