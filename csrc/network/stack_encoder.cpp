#include "sae_fast/stack_encoder.hpp"

#include <algorithm>
#include <memory>
#include <new>

namespace sae_fast {

namespace {

constexpr Size kSmall = 2048;  // units of a layer whose codes go on the stack
constexpr Size kBlock = 4096;  // rows between two layers: codes in between stay small

template <class T>
Samples rows_of(const T* X, Size n_rows, Size n_features) noexcept {
    constexpr Size size = sizeof(T);
    return {X, size == 4 ? DType::float32 : DType::float64, n_rows, n_features, n_features * size, size, nullptr};
}

/// Of the layers below the last.
template <class T>
Size widest(const std::vector<Encoder<T>>& layers) noexcept {
    Size most = 0;
    for (std::size_t k = 0; k + 1 < layers.size(); ++k) most = std::max(most, layers[k].n_hidden());
    return most;
}

template <class T>
void encode_through(const std::vector<Encoder<T>>& layers, const T* x, T* codes, T* below, T* above) noexcept {
    for (std::size_t k = 0; k + 1 < layers.size(); ++k) {
        layers[k].encode_one(x, above);
        x = above;
        std::swap(below, above);
    }
    layers.back().encode_one(x, codes);
}

}  // namespace

template <class T>
bool StackEncoder<T>::encode_one(const T* x, T* codes) const noexcept {
    if (layers_.size() == 1) {
        layers_.front().encode_one(x, codes);
        return true;
    }
    const Size most = widest(layers_);
    if (most <= kSmall) {
        alignas(64) T between[2][kSmall];
        encode_through(layers_, x, codes, between[0], between[1]);
        return true;
    }
    const std::unique_ptr<T[]> between(new (std::nothrow) T[static_cast<std::size_t>(2 * most)]);
    if (between == nullptr) return false;
    encode_through(layers_, x, codes, between.get(), between.get() + most);
    return true;
}

template <class T>
bool StackEncoder<T>::encode(const T* X, Size n_rows, T* codes, int n_threads) const noexcept {
    if (n_rows < 1) return true;
    try {
        Workspace workspace, memory;
        const Size most = widest(layers_), block = std::min(n_rows, kBlock);
        const auto lay_out = [&](Arena& arena, T*(&between)[2]) {
            for (T*& codes_between : between) codes_between = arena.take<T>(block * most);
        };
        T* between[2] = {nullptr, nullptr};
        Arena count;
        lay_out(count, between);
        if (most > 0) {
            Arena arena(memory.reserve(count.used()));
            lay_out(arena, between);
        }
        for (Size i = 0; i < n_rows; i += block) {
            const Size n = std::min(block, n_rows - i);
            const T* x = X + i * n_visible();
            for (std::size_t k = 0; k < layers_.size(); ++k) {
                const Encoder<T>& layer = layers_[k];
                T* const to = k + 1 == layers_.size() ? codes + i * n_hidden() : between[k % 2];
                layer.encode(rows_of(x, n, layer.n_visible()), to, layer.n_hidden(), n_threads, workspace);
                x = to;
            }
        }
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

template class StackEncoder<float>;
template class StackEncoder<double>;

}  // namespace sae_fast
