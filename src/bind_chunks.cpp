// Rows that are watched: statistics of chunks, counts between edges, errors of rows.
#include <cstdint>

#include "array.hpp"
#include "bindings.hpp"
#include "sae_fast/chunks.hpp"
#include "sae_fast/local_workspace.hpp"
#include "unlocked.hpp"

namespace sae_fast::bindings {

namespace {

constexpr Size kTally = sizeof(Tally) / sizeof(Size);
static_assert(sizeof(Size) == sizeof(std::int64_t));

Size* sizes(Array& a, Size n, const char* name) { return reinterpret_cast<Size*>(output<std::int64_t>(a, n, name)); }

Size count_rows(const Array& X, Size begin, Size chunk_size, Size summed, Size every, const Array& low,
                const Array& high, const Array& usual, Array totals, Array tallies, Array kept, Size first,
                int n_threads) {
    if (kept.ndim() != 3 || kept.shape(2) != low.size()) throw py::value_error("kept must have 3 dimensions");
    const Size n_chunks = kept.shape(0);
    const Size n = kept.shape(2);
    const Samples rows = samples(X, n);
    if (summed < 1 || Chunks<float>::kRanged % summed != 0) throw py::value_error("summed must divide the last step");
    if (begin < 0 || chunk_size < 1 || every < 1 || first < 0 || first >= n_chunks)
        throw py::value_error("begin, chunk_size, every and first must be in their ranges");
    return with_type(kept, [&](auto zero) {
        using T = decltype(zero);
        Chunks<T> chunks;
        chunks.chunk_size = chunk_size;
        chunks.n_features = n;
        chunks.summed = summed;
        chunks.every = every;
        chunks.room = kept.shape(1);
        chunks.low = input<T>(low, n, "low");
        chunks.high = input<T>(high, n, "high");
        chunks.usual = input<T>(usual, n, "usual");
        chunks.totals = output<double>(totals, n_chunks * n, "totals");
        chunks.tallies = reinterpret_cast<Tally*>(sizes(tallies, n_chunks * kTally, "tallies"));
        chunks.kept = output<T>(kept, kept.size(), "kept");
        const auto work = [&] {
            LocalWorkspace workspace;
            return sae_fast::count_rows(rows, begin, chunks, first, n_chunks, n_threads, workspace.get());
        };
        return (rows.n_samples - begin) * n < kShort ? work() : unlocked(work);
    });
}

void count_above(const Array& X, const Array& edges, Array counts) {
    if (X.ndim() != 2 || edges.ndim() != 2) throw py::value_error("X and edges must have 2 dimensions");
    const Size n = X.shape(1);
    with_type(X, [&](auto zero) {
        using T = decltype(zero);
        const T* const rows = input<T>(X, X.size(), "X");
        const T* const limits = input<T>(edges, edges.shape(0) * n, "edges");
        Size* const to = sizes(counts, edges.size(), "counts");
        unlocked([&] { sae_fast::count_above(rows, X.shape(0), n, limits, edges.shape(0), to); });
    });
}

void add_areas(const Array& X, const Array& edges, Array areas) {
    if (X.ndim() != 2 || edges.ndim() != 2) throw py::value_error("X and edges must have 2 dimensions");
    const Size n = X.shape(1);
    const Size n_edges = edges.shape(0);
    if (n_edges < 1) throw py::value_error("edges must have a row");
    with_type(X, [&](auto zero) {
        using T = decltype(zero);
        const T* const rows = input<T>(X, X.size(), "X");
        const T* const limits = input<T>(edges, n_edges * n, "edges");
        auto* const to = output<double>(areas, (n_edges + 1) * n, "areas");
        unlocked([&] { sae_fast::add_areas(rows, X.shape(0), n, limits, n_edges, to); });
    });
}

void reduce_chunks(const Array& X, const Array& chunks, Array sums, Array low, Array high) {
    if (X.ndim() != 2) throw py::value_error("X must have 2 dimensions");
    const Size n = X.shape(1);
    const auto* const rows_of = input<std::int64_t>(chunks, chunks.size(), "sizes");
    Size n_rows = 0;
    for (Size i = 0; i < chunks.size(); ++i) {
        if (rows_of[i] < 0 || rows_of[i] > X.shape(0) - n_rows) throw py::value_error("sizes must be rows of X");
        n_rows += rows_of[i];
    }
    with_type(X, [&](auto zero) {
        using T = decltype(zero);
        const T* const rows = input<T>(X, X.size(), "X");
        auto* const sum = output<double>(sums, chunks.size() * n, "sums");
        auto* const least = output<double>(low, chunks.size() * n, "low");
        auto* const most = output<double>(high, chunks.size() * n, "high");
        const auto* const sizes = reinterpret_cast<const Size*>(rows_of);
        unlocked([&] { sae_fast::reduce_chunks(rows, sizes, chunks.size(), n, sum, least, most); });
    });
}

void mean_shifts(const Array& totals, const Array& counts, const Array& mean, const Array& sd, Array shifts) {
    const Size n = mean.size();
    const Size n_chunks = counts.size();
    const auto* const total = input<double>(totals, n_chunks * n, "totals");
    const auto* const rows = reinterpret_cast<const Size*>(input<std::int64_t>(counts, n_chunks, "counts"));
    const auto* const usual = input<double>(mean, n, "mean");
    const auto* const spread = input<double>(sd, n, "sd");
    auto* const to = output<double>(shifts, n_chunks * 2, "shifts");
    unlocked([&] { sae_fast::mean_shifts(total, rows, n_chunks, n, usual, spread, to); });
}

Array row_errors(const Array& a3, const Array& target) {
    if (a3.ndim() != 2) throw py::value_error("a3 must have 2 dimensions");
    Array errors = new_array<double>({a3.shape(0)});
    with_type(a3, [&](auto zero) {
        using T = decltype(zero);
        const T* const a = input<T>(a3, a3.size(), "a3");
        const T* const x = input<T>(target, a3.size(), "target");
        auto* const to = static_cast<double*>(errors.mutable_data());
        unlocked([&] { sae_fast::row_errors(a, x, a3.shape(0), a3.shape(1), to); });
    });
    return errors;
}

}  // namespace

void bind_chunks(py::module_& m) {
    m.attr("RANGED") = Chunks<float>::kRanged;
    m.def("count_rows", &count_rows, py::arg("X"), py::arg("begin"), py::arg("chunk_size"), py::arg("summed"),
          py::arg("every"), py::arg("low"), py::arg("high"), py::arg("usual"), py::arg("totals"), py::arg("tallies"),
          py::arg("kept"), py::arg("first"), py::arg("n_threads"),
          "Count rows of X from `begin` on in the chunks from `first` on, until all are full: how many it counted.");
    m.def("count_above", &count_above, py::arg("X"), py::arg("edges"), py::arg("counts"),
          "counts (n_edges, n_features) += how many rows of X are above each edge.");
    m.def("add_areas", &add_areas, py::arg("X"), py::arg("edges"), py::arg("areas"),
          "areas (n_edges + 1, n_features) += how far rows of X go within each interval between edges.");
    m.def("reduce_chunks", &reduce_chunks, py::arg("X"), py::arg("sizes"), py::arg("sums"), py::arg("low"),
          py::arg("high"), "Sums, smallest and largest codes of chunks whose rows follow one another in X.");
    m.def("mean_shifts", &mean_shifts, py::arg("totals"), py::arg("counts"), py::arg("mean"), py::arg("sd"),
          py::arg("shifts"), "Largest distance of the means of columns from `mean`, by `sd`, and root mean square.");
    m.def("row_errors", &row_errors, py::arg("a3"), py::arg("target"), "1/2 sum (a3 - target)^2 of each row.");
}

}  // namespace sae_fast::bindings
