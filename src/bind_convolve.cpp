// Convolution and pooling. The GIL is released while the core runs: it touches only the memory of arrays that the
// arguments keep alive, and its own workspace.
#include "array.hpp"
#include "bindings.hpp"
#include "numbers.hpp"
#include "sae_fast/convolve.hpp"
#include "sae_fast/local_workspace.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

void convolve(const Array& W1, const Array& b1, const Array& X, int hidden, Size patch_rows, Size patch_columns,
              int pooling, Size pool_rows, Size pool_columns, Array out, int n_threads) {
    const Unit unit = unit_of(hidden);
    const Pool pool{static_cast<Pooling>(pooling), pool_rows, pool_columns};
    const Images view = images(X);
    if (W1.ndim() != 2 || patch_rows < 1 || patch_columns < 1 || pool_rows < 1 || pool_columns < 1 ||
        patch_rows > view.n_rows || patch_columns > view.n_columns)
        throw py::value_error("W1 must have 2 dimensions, and patches and cells must lie in the images");
    const Size n_hidden = W1.shape(0);
    const Size n_in = patch_rows * patch_columns * view.n_channels;
    const Size cells = pooled(view.n_rows, patch_rows, pool_rows) * pooled(view.n_columns, patch_columns, pool_columns);
    if (view.n_images < 1 || view.n_channels < 1 || cells < 1 || n_hidden < 1)
        throw py::value_error("there must be at least one image, channel, cell and filter");
    with_type(W1, [&](auto zero) {
        using T = decltype(zero);
        const Filters<T> filters{input<T>(W1, n_hidden * n_in, "W1"),
                                 input<T>(b1, n_hidden, "b1"),
                                 n_hidden,
                                 patch_rows,
                                 patch_columns,
                                 unit};
        T* to = output<T>(out, view.n_images * cells * n_hidden, "out");
        unlocked([&] {
            LocalWorkspace workspace;
            sae_fast::convolve(filters, view, pool, to, n_threads, workspace.get());
        });
    });
}

}  // namespace

void bind_convolve(py::module_& m) {
    m.def("convolve", &convolve, py::arg("W1"), py::arg("b1"), py::arg("images"), py::arg("hidden"),
          py::arg("patch_rows"), py::arg("patch_columns"), py::arg("pooling"), py::arg("pool_rows"),
          py::arg("pool_columns"), py::arg("out"), py::arg("n_threads"));
}

}  // namespace sae_fast::bindings
