// Sparse codes: encoding to CSR, the k largest of each row, and decoding.
#include <cstdint>
#include <memory>
#include <string>

#include "array.hpp"
#include "bindings.hpp"
#include "object.hpp"
#include "sae_fast/ksparse.hpp"
#include "sae_fast/local_workspace.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

// What the core cannot encode is known once it has tried.
void check_rows(const BadRow& bad, const Array& X, const char* name) {
    if (bad.row < 0) return;
    const std::string where = X.ndim() == 1 ? "" : " in row " + std::to_string(bad.row);
    if (bad.given) throw py::value_error(std::string(name) + " must be finite, got NaN or infinity" + where);
    throw py::value_error(std::string(name) +
                          " must have finite pre-activations, but they leave the range of the type" + where);
}

class AnySparseEncoder : public PythonObject {
public:
    AnySparseEncoder(const Array& W, const Array& b, const py::object& subtract, int selection,
                     const py::object& threshold, const py::object& scale, int normalization) {
        if (W.ndim() != 2 || W.size() < 1) throw py::value_error("W_enc must have 2 dimensions");
        with_type(W, [&](auto zero) {
            using T = decltype(zero);
            const Size n_latents = W.shape(0);
            const Size n_features = W.shape(1);
            const auto kind = static_cast<Selection>(selection);
            const bool above = kind == Selection::above;
            SparseLayer<T> layer;
            layer.W = input<T>(W, n_latents * n_features, "W_enc");
            layer.b = input<T>(b, n_latents, "b_enc");
            layer.subtract = input_or_null<T>(subtract, n_features, "b_dec");
            layer.threshold = input_or_null<T>(threshold, above ? 1 : n_latents, "threshold");
            layer.scale = input_or_null<T>(scale, n_latents, "scale");
            layer.n_features = n_features;
            layer.n_latents = n_latents;
            layer.selection = kind;
            layer.normalization = static_cast<Normalization>(normalization);
            if (normalization < 0 || normalization > 2) throw py::value_error("normalization must be 0, 1 or 2");
            if ((kind != Selection::topk && layer.threshold == nullptr) ||
                (kind == Selection::gated && layer.scale == nullptr))
                throw py::value_error("selection must have its thresholds and scales");
            of<T>() = std::make_unique<SparseEncoder<T>>(layer);
        });
    }

    py::tuple encode(const Array& X, Size k, int n_threads) const {
        return f32_ != nullptr ? encoded(*f32_, X, k, n_threads) : encoded(*f64_, X, k, n_threads);
    }
    py::tuple top(const Array& X, Size k, int n_threads) const {
        return f32_ != nullptr ? largest(*f32_, X, k, n_threads) : largest(*f64_, X, k, n_threads);
    }

private:
    std::unique_ptr<SparseEncoder<float>> f32_;
    std::unique_ptr<SparseEncoder<double>> f64_;

    template <class T>
    std::unique_ptr<SparseEncoder<T>>& of() {
        if constexpr (std::is_same_v<T, float>)
            return f32_;
        else
            return f64_;
    }

    // A matrix, or one sample.
    template <class T>
    static Samples rows_of(const SparseEncoder<T>& encoder, const Array& X, Size k) {
        if (encoder.selection() == Selection::topk && (k < 1 || k > encoder.n_latents()))
            throw py::value_error("k must be in [1, n_latents]");
        if (X.ndim() == 1 && X.shape(0) == encoder.n_features()) return one_sample(X);
        return samples(X, encoder.n_features());
    }

    template <class T, class I>
    static py::tuple csr(const SparseRows<T>& codes) {
        const Size n = codes.n_entries();
        Array starts = new_array<I>({codes.n_rows() + 1});
        Array indices = new_array<I>({n});
        Array values = new_array<T>({n});
        codes.write(static_cast<I*>(starts.mutable_data()), static_cast<I*>(indices.mutable_data()),
                    static_cast<T*>(values.mutable_data()));
        return py::make_tuple(starts, indices, values);
    }

    template <class T>
    static py::tuple encoded(const SparseEncoder<T>& encoder, const Array& X, Size k, int n_threads) {
        const Samples rows = rows_of(encoder, X, k);
        SparseRows<T> codes;
        const BadRow bad = unlocked([&] {
            LocalWorkspace workspace;
            return encoder.encode(rows, k, n_threads, workspace.get(), codes);
        });
        check_rows(bad, X, X.ndim() == 1 ? "x" : "X");
        return codes.n_entries() < (Size(1) << 31) ? csr<T, int>(codes) : csr<T, std::int64_t>(codes);
    }

    template <class T>
    static py::tuple largest(const SparseEncoder<T>& encoder, const Array& X, Size k, int n_threads) {
        if (encoder.selection() != Selection::topk) throw py::value_error("selection must be topk");
        const Samples rows = rows_of(encoder, X, k);
        Array indices = new_array<int>({rows.n_samples, k});
        Array values = new_array<T>({rows.n_samples, k});
        auto* const to = static_cast<int*>(indices.mutable_data());
        auto* const numbers = static_cast<T*>(values.mutable_data());
        const BadRow bad = unlocked([&] {
            LocalWorkspace workspace;
            return encoder.top(rows, k, n_threads, workspace.get(), to, numbers);
        });
        check_rows(bad, X, "X");
        return py::make_tuple(indices, values);
    }
};

template <class T, class I>
void decode_rows(const Array& starts, const Array& indices, const Array& values, const Array& W_dec, const Array& b_dec,
                 Array& out, int n_threads) {
    const Size n_latents = W_dec.shape(0);
    const Size n_features = W_dec.shape(1);
    const Size n_rows = starts.size() - 1;
    const Size n = values.size();
    if (n_rows < 0) throw py::value_error("starts must not be empty");
    const SparseCodes<T, I> codes{n_rows, input<I>(starts, n_rows + 1, "indptr"), input<I>(indices, n, "indices"),
                                  input<T>(values, n, "values")};
    const T* const W = input<T>(W_dec, n_latents * n_features, "W_dec");
    const T* const b = input<T>(b_dec, n_features, "b_dec");
    T* const to = output<T>(out, n_rows * n_features, "out");
    const bool good = unlocked([&] {
        if (!fits(codes, n, n_latents)) return false;
        decode(codes, W, b, n_features, to, n_threads);
        return true;
    });
    if (!good)
        throw py::value_error("codes must be a CSR array whose indices are in [0, " + std::to_string(n_latents) +
                              "), in rows that follow one another");
}

void sparse_decode(const Array& starts, const Array& indices, const Array& values, const Array& W_dec,
                   const Array& b_dec, Array out, int n_threads) {
    if (W_dec.ndim() != 2) throw py::value_error("W_dec must have 2 dimensions");
    with_type(W_dec, [&](auto zero) {
        using T = decltype(zero);
        if (holds<int>(starts))
            decode_rows<T, int>(starts, indices, values, W_dec, b_dec, out, n_threads);
        else
            decode_rows<T, std::int64_t>(starts, indices, values, W_dec, b_dec, out, n_threads);
    });
}

}  // namespace

void bind_ksparse(py::module_& m) {
    py::class_<AnySparseEncoder>(m, "SparseEncoder")
        .def(py::init<const Array&, const Array&, const py::object&, int, const py::object&, const py::object&, int>(),
             py::arg("W_enc"), py::arg("b_enc"), py::arg("subtract"), py::arg("selection"), py::arg("threshold"),
             py::arg("scale"), py::arg("normalization") = 0)
        .def("encode", &AnySparseEncoder::encode, py::arg("X"), py::arg("k"), py::arg("n_threads"),
             "CSR of X (n_samples, n_features) or of one sample: (starts, indices, values).")
        .def("top", &AnySparseEncoder::top, py::arg("X"), py::arg("k"), py::arg("n_threads"),
             "(indices, values) of the k largest, each (n_samples, k).");
    m.def("sparse_decode", &sparse_decode, py::arg("starts"), py::arg("indices"), py::arg("values"), py::arg("W_dec"),
          py::arg("b_dec"), py::arg("out"), py::arg("n_threads"), "out = codes W_dec + b_dec.");
}

}  // namespace sae_fast::bindings
