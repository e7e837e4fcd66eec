// The output of a network of any depth: some rows at a time go through all layers while they are in cache.
#include <algorithm>
#include <new>

#include "evaluation.hpp"
#include "layer.hpp"

namespace sae_fast {

namespace {

template <class T>
struct ForwardLayer {
    PanelSplit split;
    Size n_in;
    T *W, *bias;  // W^T in panels; padded
    Unit unit;
};

/// Weights in panels, and for each thread two matrices of kStrip rows that layers write and read in turn.
template <class T>
struct ForwardScratch {
    ForwardLayer<T>* layers;
    T* rows;       // (n_threads, n_features)
    T* strips[2];  // (n_threads, kStrip, widest)
    Size widest;   // features or outputs, padded

    ForwardScratch(Arena& arena, const Network<const T>& network, Size n_features, Lanes lanes,
                   int n_threads) noexcept {
        layers = arena.take<ForwardLayer<T>>(network.n_layers);
        widest = PanelSplit(n_features, lanes).padded();
        for (Size l = 0; l < network.n_layers; ++l) {
            const Layer<const T>& given = network.layers[l];
            const PanelSplit split(given.n_out, lanes);
            T* W = arena.take<T>(split.right(given.n_in));
            T* bias = arena.take<T>(split.padded());
            if (layers != nullptr)
                new (layers + l) ForwardLayer<T>{split, given.n_in, W, bias, network.settings[l].unit};
            widest = std::max(widest, split.padded());
        }
        rows = arena.take<T>(n_threads * n_features);
        for (T*& strip : strips) strip = arena.take<T>(n_threads * kStrip * widest);
    }
};

// Rows of one strip through all layers, each product's panel activated while it is in the first-level cache.
template <class T>
void forward_rows(const ForwardScratch<T>& scratch, Size n_layers, Loss loss, Left<T> in, Size n_rows, Team team,
                  T* out, Size out_stride) noexcept {
    const Kernels<T>& k = kernels<T>();
    for (Size l = 0; l < n_layers; ++l) {
        const ForwardLayer<T>& layer = scratch.layers[l];
        const PanelSplit& split = layer.split;
        T* a = scratch.strips[l % 2] + team.id * kStrip * scratch.widest;
        const bool softmax = l + 1 == n_layers && facts(loss).by_row;
        const bool last = l + 1 == n_layers;
        for (Size p = 0; p < split.count(); ++p) {
            if (team.stops(n_rows, layer.n_in, split.width(p))) return;
            T* z = a + split.offset(p) * kStrip;
            const T* bias = layer.bias + split.offset(p);
            k.product(in, n_rows, layer.n_in, {0, PanelSplit(layer.n_in, k.lanes).count()},
                      layer.W + split.offset(p) * layer.n_in, split.shape(p), z);
            if (softmax) continue;
            if (last)
                k.activate(layer.unit, z, n_rows, split.vectors(p), split.used(p), bias, out + split.offset(p),
                           out_stride);
            else
                k.activate(layer.unit, z, n_rows, split.vectors(p), split.width(p), bias, z, split.width(p));
        }
        if (softmax) {
            k.softmax(a, kStrip, 0, n_rows, split.n, layer.bias);
            k.unpack_rows(a, kStrip, 0, n_rows, split.n, out, out_stride);
        }
        in = {a, kStrip, 0, 0};
    }
}

}  // namespace

template <class T>
void forward(const Network<const T>& network, const Samples& X, T* out, Size out_stride, int n_threads,
             Workspace& workspace) {
    const Kernels<T>& k = kernels<T>();
    const int n = team_size(n_threads, multiply_adds(network, X.n_samples, false));
    Arena count;
    ForwardScratch<T>(count, network, X.n_features, k.lanes, n);
    Arena arena(workspace.reserve(count.used()));
    const ForwardScratch<T> scratch(arena, network, X.n_features, k.lanes, n);

    parallel(n, [&](Team team) {
        for (Size l = 0; l < network.n_layers; ++l) {
            const Layer<const T>& given = network.layers[l];
            const ForwardLayer<T>& layer = scratch.layers[l];
            const Range panels = team.share(layer.split.count());
            k.pack_transposed(given.W, layer.n_in, layer.split.n, layer.n_in, layer.W, panels.begin, panels.end);
            if (team.id > 0) continue;
            std::copy(given.b, given.b + layer.split.n, layer.bias);
            std::fill(layer.bias + layer.split.n, layer.bias + layer.split.padded(), T(0));
        }
        team.barrier();
        // No row depends on another, so they are shared in any pieces: whole tiles of 8.
        team.each((X.n_samples + 7) / 8, kStrip / 8, [&](Range eighths) {
            const Size row = eighths.begin * 8;
            const Size n_rows = std::min(eighths.end * 8, X.n_samples) - row;
            if (team.stops(n_rows, X.n_features, 1)) return;
            Left<T> in = plain_rows<T>(X, row);
            if (in.ld == 0) {
                T* strip = scratch.strips[1] + team.id * kStrip * scratch.widest;
                pack_samples(X, row, n_rows, strip, kStrip, 0, scratch.rows + team.id * X.n_features);
                in = {strip, kStrip, 0, 0};
            }
            forward_rows(scratch, network.n_layers, network.loss, in, n_rows, team, out + row * out_stride, out_stride);
        });
    });
}

template void forward(const Network<const float>&, const Samples&, float*, Size, int, Workspace&);
template void forward(const Network<const double>&, const Samples&, double*, Size, int, Workspace&);

}  // namespace sae_fast
