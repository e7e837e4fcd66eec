#include <algorithm>

#include "encoding.hpp"

namespace sae_fast {

namespace {

template <class T, class Emit>
BadRow encoded(const typename SparseEncoder<T>::Parts& layer, const Samples& X, Size k, int n_members,
               Workspace& workspace, Emit emit) {
    return Encoding<T, Emit>(layer, X, k, n_members, workspace, emit).run();
}

template <class T>
int members(const SparseEncoder<T>& encoder, const Samples& X, int n_threads) noexcept {
    return team_size(n_threads, static_cast<double>(X.n_samples) * static_cast<double>(encoder.n_features()) *
                                    static_cast<double>(encoder.n_latents()));
}

}  // namespace

template <class T>
SparseEncoder<T>::SparseEncoder(const SparseLayer<T>& layer)
    : parts_{layer.n_features, layer.n_latents, layer.selection, layer.normalization, nullptr, nullptr, nullptr,
             nullptr,          nullptr,         nullptr} {
    const Kernels<T>& k = kernels<T>();
    const PanelSplit split(layer.n_latents, k.lanes);
    const Size n = split.padded();
    const auto lay_out = [&](Arena& arena) {
        const auto padded = [&](const T* from, Size n_given) {
            T* const to = arena.take<T>(n);
            if (to != nullptr) std::fill(from == nullptr ? to : std::copy_n(from, n_given, to), to + n, T(0));
            return to;
        };
        T* const W = arena.take<T>(split.right(layer.n_features));
        if (W != nullptr) k.pack_transposed(layer.W, layer.n_features, split.n, layer.n_features, W, 0, split.count());
        parts_.W = W;
        parts_.bias = padded(layer.b, split.n);
        parts_.zeros = padded(nullptr, 0);
        parts_.threshold = padded(layer.threshold, layer.selection == Selection::above ? 1 : split.n);
        parts_.scale = padded(layer.scale, split.n);
        T* const subtract = arena.take<T>(layer.n_features);
        if (subtract != nullptr && layer.subtract != nullptr) std::copy_n(layer.subtract, layer.n_features, subtract);
        parts_.subtract = layer.subtract == nullptr ? nullptr : subtract;
    };
    Arena count;
    lay_out(count);
    Arena arena(memory_.reserve(count.used()));
    lay_out(arena);
}

template <class T>
BadRow SparseEncoder<T>::encode(const Samples& X, Size k, int n_threads, Workspace& workspace,
                                SparseRows<T>& codes) const {
    const int n = members(*this, X, n_threads);
    const bool top = parts_.selection == Selection::topk;
    codes.start(X.n_samples, n);
    return encoded<T>(parts_, X, k, n, workspace, [&](int member, Size row, int* indices, T* values, Size n_entries) {
        if (!top) return codes.add(member, row, indices, values, n_entries);
        Size kept = 0;
        for (Size i = 0; i < n_entries; ++i) {
            values[kept] = values[i];
            indices[kept] = indices[i];
            kept += values[i] > T(0) ? 1 : 0;
        }
        return codes.add(member, row, indices, values, kept);
    });
}

template <class T>
BadRow SparseEncoder<T>::top(const Samples& X, Size k, int n_threads, Workspace& workspace, int* indices,
                             T* values) const {
    const int n = members(*this, X, n_threads);
    struct Entry {
        T value;
        int index;
    };
    const auto n_entries = static_cast<std::size_t>(k * n);
    const std::unique_ptr<Entry[]> memory(new Entry[n_entries]);
    return encoded<T>(parts_, X, k, n, workspace, [&](int member, Size row, int* from, T* of, Size) {
        Entry* const entries = memory.get() + member * k;
        for (Size i = 0; i < k; ++i) entries[i] = {of[i], from[i]};
        std::sort(entries, entries + k, [](const Entry& a, const Entry& b) {
            return a.value > b.value || (a.value == b.value && a.index < b.index);
        });
        for (Size i = 0; i < k; ++i) {
            indices[row * k + i] = entries[i].index;
            values[row * k + i] = std::max(entries[i].value, T(0));
        }
        return true;
    });
}

template class SparseEncoder<float>;
template class SparseEncoder<double>;

}  // namespace sae_fast
