// The boundary: the only file that knows NumPy. A const view is an input, a mutable view is an output.
//
// Python has checked and worded the errors by the time a call arrives here; these checks are the second lock, so that
// a wrong call can never read or write outside an array.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "sae_fast/convolve.hpp"
#include "sae_fast/types.hpp"

namespace sae_fast::bindings {

namespace py = pybind11;

/// An array as Python has it. Bindings take it, and ask this file for all that they want to know of it.
using Array = py::array;

inline bool is_contiguous(const py::array& a) { return (a.flags() & py::array::c_style) != 0; }

inline bool is_native(const py::array& a) {
    const char order = py::detail::array_descriptor_proxy(py::detail::array_proxy(a.ptr())->descr)->byteorder;
    return order == '=' || order == '|';
}

template <class T>
bool holds(const py::array& a) {
    return a.dtype().num() == py::dtype::num_of<T>() && is_native(a);
}

/// f(T()) for the T of some parameters.
template <class F>
auto with_type(const py::array& a, F f) {
    return holds<float>(a) ? f(float()) : f(double());
}

/// A new array.
template <class T>
Array new_array(const std::vector<Size>& shape) {
    return py::array_t<T>(shape);
}

/// A copy of numbers as a new array.
template <class T>
Array new_array(const std::vector<Size>& shape, const std::vector<T>& numbers) {
    return py::array_t<T>(shape, numbers.data());
}

/// The numbers of any array.
template <class T>
std::vector<T> numbers_of(const Array& a) {
    const auto plain = py::cast<py::array_t<T, py::array::c_style | py::array::forcecast>>(a);
    return std::vector<T>(plain.data(), plain.data() + plain.size());
}

/// Contiguous array of n elements of T; name words the error.
template <class T>
const T* input(const py::array& a, Size n, const char* name) {
    if (!holds<T>(a) || !is_contiguous(a) || a.size() != n)
        throw py::type_error(std::string(name) + " must be a C-contiguous array of " + std::to_string(n) +
                             " elements of the dtype of the parameters");
    return static_cast<const T*>(a.data());
}

template <class T>
T* output(py::array& a, Size n, const char* name) {
    input<T>(a, n, name);
    if (!a.writeable()) throw py::value_error(std::string(name) + " must be writable");
    return static_cast<T*>(a.mutable_data());
}

template <class T>
T* output_or_null(const py::object& a, Size n, const char* name) {
    if (a.is_none()) return nullptr;
    auto array = py::cast<py::array>(a);
    return output<T>(array, n, name);
}

template <class T>
const T* input_or_null(const py::object& a, Size n, const char* name) {
    if (a.is_none()) return nullptr;
    return input<T>(py::cast<py::array>(a), n, name);
}

inline DType dtype_of(const py::array& a) {
    const char kind = a.dtype().kind();
    const auto size = a.itemsize();
    const char order = a.dtype().byteorder();
    const bool native = order == '=' || order == '|';
    if (native && kind == 'f' && size == 4) return DType::float32;
    if (native && kind == 'f' && size == 8) return DType::float64;
    if (native && kind == 'f' && size == 2) return DType::float16;
    const DType integers[2][4] = {{DType::int8, DType::int16, DType::int32, DType::int64},
                                  {DType::uint8, DType::uint16, DType::uint32, DType::uint64}};
    const int log2 = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : size == 8 ? 3 : -1;
    if (native && log2 >= 0 && kind == 'i') return integers[0][log2];
    if (native && log2 >= 0 && kind == 'u') return integers[1][log2];
    throw py::type_error("X must have a real dtype in native byte order, got " +
                         py::cast<std::string>(py::str(a.dtype())));
}

/// Two-dimensional data of any type and strides.
inline Samples samples(const py::array& X, Size n_features) {
    if (X.ndim() != 2 || X.shape(1) != n_features)
        throw py::value_error("X must have shape (n_samples, " + std::to_string(n_features) + ")");
    Samples view;
    view.data = X.data();
    view.dtype = dtype_of(X);
    view.n_samples = X.shape(0);
    view.n_features = n_features;
    view.row_stride = X.strides(0);
    view.column_stride = X.strides(1);
    return view;
}

/// Images (n_images, n_rows, n_columns, n_channels) of any type and strides.
inline Images images(const py::array& X) {
    if (X.ndim() != 4) throw py::value_error("images must have 4 dimensions");
    return {X.data(),   dtype_of(X),  X.shape(0),   X.shape(1),   X.shape(2),
            X.shape(3), X.strides(0), X.strides(1), X.strides(2), X.strides(3)};
}

/// One-dimensional data as a single sample.
inline Samples one_sample(const py::array& x) {
    Samples view;
    view.data = x.data();
    view.dtype = dtype_of(x);
    view.n_samples = 1;
    view.n_features = x.shape(0);
    view.row_stride = x.nbytes();
    view.column_stride = x.strides(0);
    return view;
}

template <class T>
bool is_aligned(const T* data) noexcept {
    return reinterpret_cast<std::uintptr_t>(data) % sizeof(T) == 0;
}

/// Can a kernel read this one-dimensional array as it is?
template <class T>
bool is_plain(const py::array& x) {
    return holds<T>(x) && x.strides(0) == static_cast<py::ssize_t>(sizeof(T)) &&
           is_aligned(static_cast<const T*>(x.data()));
}

/// NumPy's own record of an array, for calls that take little longer than to ask an object for its fields.
using Record = py::detail::PyArray_Proxy;

/// Is x an array, and of no class derived from it?
inline bool is_plain_array(PyObject* x) noexcept { return Py_TYPE(x) == py::detail::npy_api::get().PyArray_Type_; }

/// The record of x; null if x is no array.
inline const Record* record_of(PyObject* x) noexcept {
    PyTypeObject* const type = py::detail::npy_api::get().PyArray_Type_;
    return Py_TYPE(x) == type || PyType_IsSubtype(Py_TYPE(x), type) != 0 ? py::detail::array_proxy(x) : nullptr;
}

template <class T>
bool holds(const Record& a) noexcept {
    using Npy = py::detail::npy_api;
    const auto* const type = py::detail::array_descriptor_proxy(a.descr);
    return type->type_num == (sizeof(T) == sizeof(float) ? Npy::NPY_FLOAT_ : Npy::NPY_DOUBLE_) &&
           (type->byteorder == '=' || type->byteorder == '|');
}

/// Data of x if it is a contiguous array of T of this shape (0: no such dimension), ready to be read or written; null
/// otherwise.
template <class T>
T* plain_data(PyObject* x, const Size (&shape)[2], bool written) noexcept {
    using Npy = py::detail::npy_api;
    const Record* const a = record_of(x);
    if (a == nullptr || a->nd != (shape[1] == 0 ? 1 : 2) || a->dimensions[0] != shape[0]) return nullptr;
    if (shape[1] != 0 && a->dimensions[1] != shape[1]) return nullptr;
    const int wanted = Npy::NPY_ARRAY_C_CONTIGUOUS_ | (written ? Npy::NPY_ARRAY_WRITEABLE_ : 0);
    return (a->flags & wanted) == wanted && holds<T>(*a) ? reinterpret_cast<T*>(a->data) : nullptr;
}

/// samples() of what is known to be a matrix of T.
template <class T>
Samples samples(const Record& X) noexcept {
    const DType dtype = sizeof(T) == sizeof(float) ? DType::float32 : DType::float64;
    return {X.data, dtype, X.dimensions[0], X.dimensions[1], X.strides[0], X.strides[1], nullptr};
}

inline std::string text(const py::handle& x) { return py::cast<std::string>(py::repr(x)); }
inline std::string shape_text(const py::array& a) { return text(a.attr("shape")); }

/// Any array_like as an array of real numbers that dtype_of knows; what is no plain array of them, read(x, name) makes
/// one of.
inline py::array real_array(const py::object& x, const py::object& read, const char* name) {
    if (is_plain_array(x.ptr())) {
        auto a = py::reinterpret_borrow<py::array>(x);
        const char kind = a.dtype().kind();
        if ((kind == 'f' || kind == 'i' || kind == 'u') && is_native(a) && a.itemsize() <= 8) return a;
    }
    return py::cast<py::array>(read(x, name));
}

/// out itself if results can be written to it as it is; an error that says why not otherwise.
template <class T>
py::array checked_output(const py::object& out, const std::vector<Size>& shape, const py::array& input);

/// The arrays of a network as Python hands them over: (W, b) for each layer, or all in a row: (W1, b1, W2, b2).
using Tuple = py::tuple;

inline std::vector<py::array> arrays_of(const Tuple& layers) {
    std::vector<py::array> arrays;
    for (const py::handle& entry : layers) {
        if (py::isinstance<py::array>(entry)) {
            arrays.push_back(py::reinterpret_borrow<py::array>(entry));
            continue;
        }
        for (const py::handle& array : py::cast<py::tuple>(entry)) arrays.push_back(py::cast<py::array>(array));
    }
    if (arrays.empty()) throw py::value_error("layers must not be empty");
    if (arrays.size() % 2 != 0) throw py::value_error("a layer must be (W, b)");
    return arrays;
}

/// Layers whose sizes follow one another; of T const they are inputs, of T outputs.
template <class T>
std::vector<Layer<T>> layers_of(const std::vector<py::array>& arrays) {
    using Element = std::remove_const_t<T>;
    std::vector<Layer<T>> layers;
    for (std::size_t i = 0; i < arrays.size(); i += 2) {
        py::array W = arrays[i];
        py::array b = arrays[i + 1];
        if (W.ndim() != 2 || W.size() < 1) throw py::value_error("W must have 2 dimensions");
        const Size n_out = W.shape(0);
        const Size n_in = W.shape(1);
        if (!layers.empty() && layers.back().n_out != n_in) throw py::value_error("layers must fit together");
        if constexpr (std::is_const_v<T>)
            layers.push_back({input<Element>(W, n_in * n_out, "W"), input<Element>(b, n_out, "b"), n_in, n_out});
        else
            layers.push_back({output<Element>(W, n_in * n_out, "W"), output<Element>(b, n_out, "b"), n_in, n_out});
    }
    return layers;
}

/// Gradients in the shapes of some layers.
template <class T, class L>
std::vector<Layer<T>> layers_like(const std::vector<L>& like, const std::vector<py::array>& arrays, const char* name) {
    std::vector<Layer<T>> layers = layers_of<T>(arrays);
    bool same = layers.size() == like.size();
    for (std::size_t l = 0; same && l < like.size(); ++l)
        same = layers[l].n_in == like[l].n_in && layers[l].n_out == like[l].n_out;
    if (!same) throw py::value_error(std::string(name) + " must have the shapes of layers");
    return layers;
}

/// Memory that an array may touch, as a range of addresses.
struct Extent {
    std::uintptr_t begin = 0, end = 0;

    Extent() = default;
    explicit Extent(const py::array& a) : Extent(a.data(), a.itemsize(), a.ndim(), a.shape(), a.strides()) {}
    /// Of n_bytes in one piece.
    Extent(const void* data, Size n_bytes) noexcept
        : begin(reinterpret_cast<std::uintptr_t>(data)), end(begin + static_cast<std::uintptr_t>(n_bytes)) {}
    Extent(const void* data, Size itemsize, Size ndim, const Size* shape, const Size* strides) noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(data);
        Size low = 0;
        Size high = itemsize;
        bool empty = false;
        for (Size i = 0; i < ndim; ++i) {
            const Size reach = (shape[i] - 1) * strides[i];
            (reach < 0 ? low : high) += reach;
            empty = empty || shape[i] == 0;
        }
        begin = at + static_cast<std::uintptr_t>(low);
        end = empty ? begin : at + static_cast<std::uintptr_t>(high);
    }
    bool meets(const Extent& other) const noexcept { return begin < other.end && other.begin < end; }
};

template <class T>
py::array checked_output(const py::object& out, const std::vector<Size>& shape, const py::array& input) {
    if (!py::isinstance<py::array>(out))
        throw py::type_error("out must be a NumPy array, got " + text(py::type::of(out).attr("__name__")));
    const auto a = py::reinterpret_borrow<py::array>(out);
    if (!holds<T>(a))
        throw py::type_error("out must have dtype " + py::cast<std::string>(py::str(py::dtype::of<T>())) + ", got " +
                             py::cast<std::string>(py::str(a.dtype())));
    bool same = a.ndim() == static_cast<py::ssize_t>(shape.size());
    for (std::size_t i = 0; same && i < shape.size(); ++i) same = a.shape(static_cast<py::ssize_t>(i)) == shape[i];
    if (!same)
        throw py::value_error("out must have shape " + text(py::tuple(py::cast(shape))) + ", got " + shape_text(a));
    if (!is_contiguous(a)) throw py::value_error("out must be C-contiguous, got strides " + text(a.attr("strides")));
    if (!a.writeable()) throw py::value_error("out must be writable, got a read-only array");
    if (Extent(a).meets(Extent(input))) throw py::value_error("out must not overlap the memory of an input");
    return a;
}

inline std::vector<Extent> extents_of(const std::vector<py::array>& arrays) {
    return std::vector<Extent>(arrays.begin(), arrays.end());
}

/// Outputs, W and b of layer after layer, may overlap neither one another nor an input. in_pairs: does Python see them
/// as (W, b), layer by layer?
template <class Outputs, class Inputs>
void check_apart(const Outputs& outputs, const Inputs& inputs, bool in_pairs) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        bool met = false;
        for (const Extent& input : inputs) met = met || outputs[i].meets(input);
        for (std::size_t j = 0; j < i; ++j) met = met || outputs[i].meets(outputs[j]);
        if (!met) continue;
        const std::string field = i % 2 == 0 ? "W" : "b";
        const std::string name =
            in_pairs ? "out[" + std::to_string(i / 2) + "]." + field : "out." + field + std::to_string(i / 2 + 1);
        throw py::value_error(name + " must not overlap the memory of an input or of another output");
    }
}

}  // namespace sae_fast::bindings
