#include "layer.hpp"

#include <algorithm>

#include "sae_fast/encoder.hpp"
#include "sae_fast/network.hpp"

namespace sae_fast {

namespace {

// Panels of outputs that ask for the strip of samples to come: more would keep it in cache for longer than it has to.
constexpr Size kAskingPanels = 8;

// One panel of outputs for some rows: product, activation, and out it goes while it is in the first-level cache.
template <class T>
void apply_panel(const Kernels<T>& k, const PackedLayer<T>& layer, Left<T> A, Size n_rows, Size p, T* out,
                 Size out_stride) noexcept {
    constexpr std::size_t most = 3 * 64 / sizeof(T) * static_cast<std::size_t>(kStrip);  // 3 vectors of 64 bytes
    alignas(64) T z[most];
    const PanelSplit& split = layer.split;
    if (worth_asking<T>(layer.n_in, A.ld)) A.ask_out = {out + split.offset(p), out_stride, split.used(p)};
    const T* W = layer.W + split.offset(p) * layer.n_in;
    if (is_dense(split) && out_stride == split.n && n_rows % split.lanes == 0) {
        const Size side = split.lanes * split.n;  // of `lanes` rows side by side, which are whole vectors
        k.product_dense(A, n_rows, layer.n_in, W, split.shape(p), z, split.n);
        return k.activate(layer.unit, z, n_rows / split.lanes, split.n, side, layer.bias, out, side);
    }
    k.product(A, n_rows, layer.n_in, {0, PanelSplit(layer.n_in, k.lanes).count()}, W, split.shape(p), z);
    k.activate(layer.unit, z, n_rows, split.vectors(p), split.used(p), layer.bias + split.offset(p),
               out + split.offset(p), out_stride);
}

}  // namespace

template <class T>
void apply_layer(Team team, const PackedLayer<T>& layer, const Samples& X, T* out, Size out_stride,
                 const StripBuffer<T>& buffer) noexcept {
    const Kernels<T>& k = kernels<T>();
    const PanelSplit& split = layer.split;
    if (buffer.strips == nullptr && X.n_samples == 1) {
        if (team.id == 0)
            k.layer_row(layer.unit, plain_rows<T>(X, 0).data, layer.n_in, layer.W, split.n, layer.bias, out);
        return;
    }
    if (buffer.strips == nullptr && X.n_samples <= 8 * team.n) {
        const Range vectors = team.share(split.padded() / split.lanes);
        for (Size p = 0; p < split.count(); ++p) {
            const Size at = split.offset(p) / split.lanes;
            if (at >= vectors.begin && at < vectors.end)
                apply_panel(k, layer, plain_rows<T>(X, 0), X.n_samples, p, out, out_stride);
        }
        return;
    }
    const Size n_eighths = (X.n_samples + 7) / 8;  // whole tiles of rows
    const bool far = split.padded() * layer.n_in * Size(sizeof(T)) > near_cache();
    team.each(n_eighths, kStrip / 8, [&](Range eighths) {
        const Size row = eighths.begin * 8;
        const Size n_rows = std::min(eighths.end * 8, X.n_samples) - row;
        Left<T> A = plain_rows<T>(X, row);
        if (buffer.strips != nullptr) {
            T* strip = buffer.strips + team.id * kStrip * PanelSplit(layer.n_in, k.lanes).padded();
            pack_samples(X, row, n_rows, strip, kStrip, 0, buffer.rows + team.id * layer.n_in);
            A = {strip, kStrip, 0, 0};
        }
        // The last panels ask for the next strip, each for its share of the columns.
        const Size silent = std::max(split.count() - kAskingPanels, Size(0));
        const bool asks =
            buffer.strips == nullptr && row + 2 * kStrip <= X.n_samples && worth_asking<T>(layer.n_in, A.ld);
        const T* const next_rows = asks ? plain_rows<T>(X, row + kStrip).data : nullptr;
        for (Size p = 0; p < split.count(); ++p) {
            if (asks && p >= silent) {
                const Size begin = layer.n_in * (p - silent) / (split.count() - silent);
                const Size end = layer.n_in * (p + 1 - silent) / (split.count() - silent);
                A.ask = {next_rows + begin, A.ld, end - begin};
            }
            if (team.stops(n_rows, layer.n_in, split.width(p))) return;
            if (far) {
                const Size next = p + 1 < split.count() ? p + 1 : 0;
                A.coming = layer.W + split.offset(next) * layer.n_in;
                A.n_coming = split.width(next) * layer.n_in;
            }
            apply_panel(k, layer, A, n_rows, p, out + row * out_stride, out_stride);
        }
    });
}

template <class T>
void layer_forward(const Layer<const T>& given, const Samples& X, Unit unit, T* out, Size out_stride, int n_threads,
                   Workspace& workspace) {
    const Kernels<T>& k = kernels<T>();
    const Size n_in = given.n_in;
    const Size n_out = given.n_out;
    const PanelSplit in(n_in, k.lanes);
    const PanelSplit split(n_out, k.lanes);
    const int n = layer_team_size(n_threads, X.n_samples, n_in, n_out);
    const bool plain = plain_rows<T>(X, 0).ld > 0;
    const auto lay_out = [&](Arena& arena, T*& panels, T*& bias) {
        panels = arena.take<T>(split.right(n_in));
        bias = arena.take<T>(repeated_bias(split));
        return plain ? StripBuffer<T>() : StripBuffer<T>(arena, in, n);
    };
    T* panels;
    T* bias;
    Arena count;
    lay_out(count, panels, bias);
    Arena arena(workspace.reserve(count.used()));
    const StripBuffer<T> buffer = lay_out(arena, panels, bias);

    repeat_bias(given.b, split, bias);
    const PackedLayer<T> layer{split, n_in, panels, bias, unit};
    parallel(n, [&](Team team) {
        const Range packed = team.share(split.count());
        k.pack_transposed(given.W, n_in, n_out, n_in, panels, packed.begin, packed.end);
        team.barrier();
        apply_layer(team, layer, X, out, out_stride, buffer);
    });
}

template <class T>
Encoder<T>::Encoder(const T* W1, const T* b1, Size n_visible, Size n_hidden, Unit hidden)
    : n_visible_(n_visible), n_hidden_(n_hidden), hidden_(hidden) {
    const Kernels<T>& k = kernels<T>();
    const PanelSplit split(n_hidden, k.lanes);
    const auto lay_out = [&](Arena& arena, T*& panels, T*& bias) {
        panels = arena.take<T>(split.right(n_visible));
        bias = arena.take<T>(repeated_bias(split));
    };
    T* panels;
    T* bias;
    Arena count;
    lay_out(count, panels, bias);
    Arena arena(memory_.reserve(count.used()));
    lay_out(arena, panels, bias);
    k.pack_transposed(W1, n_visible, n_hidden, n_visible, panels, 0, split.count());
    repeat_bias(b1, split, bias);
    W1_t_ = panels;
    b1_ = bias;
}

template <class T>
void Encoder<T>::encode(const Samples& X, T* out, Size out_stride, int n_threads, Workspace& workspace) const {
    const PanelSplit in(n_visible_, kernels<T>().lanes);
    const int n = layer_team_size(n_threads, X.n_samples, n_visible_, n_hidden_);
    const PackedLayer<T> layer{PanelSplit(n_hidden_, kernels<T>().lanes), n_visible_, W1_t_, b1_, hidden_};
    StripBuffer<T> buffer;
    if (plain_rows<T>(X, 0).ld == 0) {
        Arena count;
        StripBuffer<T>(count, in, n);
        Arena arena(workspace.reserve(count.used()));
        buffer = StripBuffer<T>(arena, in, n);
    }
    parallel(n, [&](Team team) { apply_layer(team, layer, X, out, out_stride, buffer); });
}

template <class T>
void Encoder<T>::encode_one(const T* x, T* out) const noexcept {
    kernels<T>().layer_row(hidden_, x, n_visible_, W1_t_, n_hidden_, b1_, out);
}

template class Encoder<float>;
template class Encoder<double>;
template void layer_forward(const Layer<const float>&, const Samples&, Unit, float*, Size, int, Workspace&);
template void layer_forward(const Layer<const double>&, const Samples&, Unit, double*, Size, int, Workspace&);

}  // namespace sae_fast
