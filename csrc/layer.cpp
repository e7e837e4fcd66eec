// One layer for many rows: strips of rows, all panels of outputs.
#include <algorithm>

#include "kernel_table.hpp"
#include "sae_fast/network.hpp"
#include "samples.hpp"
#include "team.hpp"

namespace sae_fast {

namespace {

constexpr Size kStrip = 64;

template <class T>
struct LayerScratch {
    T *W, *bias, *strips, *out, *rows;

    LayerScratch(Arena& arena, const PanelSplit& in, const PanelSplit& out_split, int n_threads)
        : W(arena.take<T>(out_split.padded() * in.n)),
          bias(arena.take<T>(out_split.padded())),
          strips(arena.take<T>(n_threads * kStrip * in.padded())),
          out(arena.take<T>(n_threads * kStrip * out_split.padded())),
          rows(arena.take<T>(n_threads * in.n)) {}
};

}  // namespace

template <class T>
void layer_forward(const T* W, const T* b, Size n_out, const Samples& X, Unit unit, T* out, Size out_stride,
                   int n_threads, Workspace& workspace) {
    const Kernels<T>& k = kernels<T>();
    const Size n_in = X.n_features;
    const PanelSplit in(n_in, k.lanes);
    const PanelSplit split(n_out, k.lanes);
    const double work = static_cast<double>(X.n_samples) * static_cast<double>(n_in) * static_cast<double>(n_out);
    const int n = team_size(n_threads, work);
    Arena count;
    LayerScratch<T>(count, in, split, n);
    Arena arena(workspace.reserve(count.used()));
    const LayerScratch<T> scratch(arena, in, split, n);

    std::fill(scratch.bias, scratch.bias + split.padded(), T(0));
    std::copy(b, b + n_out, scratch.bias);
    const Size n_strips = (X.n_samples + kStrip - 1) / kStrip;
    parallel(n, [&](Team team) {
        const Range packed = team.share(split.count());
        k.pack_transposed(W, n_in, n_out, n_in, scratch.W, packed.begin, packed.end);
        team.barrier();
        T* strip = scratch.strips + team.id * kStrip * in.padded();
        T* z = scratch.out + team.id * kStrip * split.padded();
        const Range mine = team.share(n_strips);
        for (Size s = mine.begin; s < mine.end; ++s) {
            const Size row = s * kStrip;
            const Size n_rows = std::min(kStrip, X.n_samples - row);
            Left<T> A = plain_rows<T>(X, row);
            if (A.ld == 0) {
                pack_samples(X, row, n_rows, strip, kStrip, 0, scratch.rows + team.id * n_in);
                A = {strip, kStrip, 0, 0};
            }
            for (Size p = 0; p < split.count(); ++p) {
                T* panel = z + split.offset(p) * kStrip;
                k.product(A, n_rows, n_in, scratch.W + split.offset(p) * n_in, split.vectors(p), panel);
                k.activate(unit, panel, n_rows, split.vectors(p), scratch.bias + split.offset(p));
            }
            k.unpack_rows(z, kStrip, 0, n_rows, n_out, out + row * out_stride, out_stride);
        }
    });
}

template void layer_forward(const float*, const float*, Size, const Samples&, Unit, float*, Size, int, Workspace&);
template void layer_forward(const double*, const double*, Size, const Samples&, Unit, double*, Size, int, Workspace&);

}  // namespace sae_fast
