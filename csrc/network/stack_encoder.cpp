#include "sae_fast/stack_encoder.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "sae_fast/local_workspace.hpp"

namespace sae_fast {

namespace {

constexpr Size kBlock = 1024;  // rows between two layers: enough for a team, and their codes stay in cache

template <class T>
Samples rows_of(const T* X, Size stride, Size n_rows, Size n_features) noexcept {
    constexpr Size size = sizeof(T);
    return {X, size == 4 ? DType::float32 : DType::float64, n_rows, n_features, stride * size, size, nullptr};
}

template <class T>
typename StackEncoder<T>::Layers shared(std::vector<Encoder<T>> layers) {
    typename StackEncoder<T>::Layers made;
    for (Encoder<T>& layer : layers) made.push_back(std::make_shared<const Encoder<T>>(std::move(layer)));
    return made;
}

/// Codes of n_rows rows of the layers below: from one of these to the other.
template <class T>
struct Between {
    T* codes[2] = {nullptr, nullptr};

    Between(Workspace& workspace, Size n_rows, Size width) {
        Arena count;
        lay_out(count, n_rows * width);
        if (count.used() == 0) return;  // of a single layer
        Arena arena(workspace.reserve(count.used()));
        lay_out(arena, n_rows * width);
    }

private:
    void lay_out(Arena& arena, Size n) noexcept {
        for (T*& to : codes) to = arena.take<T>(n);
    }
};

}  // namespace

template <class T>
StackEncoder<T>::StackEncoder(Layers layers) : layers_(std::move(layers)), between_(0) {
    if (layers_.empty()) throw std::invalid_argument("a stack must have at least one layer");
    for (std::size_t l = 0; l + 1 < layers_.size(); ++l) {
        const Size below = layers_[l]->n_hidden();
        const Size wanted = layers_[l + 1]->n_visible();
        if (wanted != below)
            throw std::invalid_argument("layers of a stack must fit: layer " + std::to_string(l + 1) + " takes " +
                                        std::to_string(wanted) + " features, the one below has " +
                                        std::to_string(below) + " units");
        between_ = std::max(between_, below);
    }
}

template <class T>
StackEncoder<T>::StackEncoder(std::vector<Encoder<T>> layers) : StackEncoder(shared(std::move(layers))) {}

template <class T>
bool StackEncoder<T>::encode_one(const T* x, T* codes) const noexcept {
    const std::size_t n = layers_.size();
    if (n == 1) {
        layers_.front()->encode_one(x, codes);
        return true;
    }
    try {
        LocalWorkspace workspace;
        const Between<T> between(workspace.get(), 1, between_);
        for (std::size_t l = 0; l < n; ++l) {
            T* const to = l + 1 == n ? codes : between.codes[l % 2];
            layers_[l]->encode_one(x, to);
            x = to;
        }
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

template <class T>
bool StackEncoder<T>::encode(const T* X, Size n_rows, T* codes, int n_threads) const noexcept {
    return encode(X, n_visible(), n_rows, codes, n_hidden(), n_threads);
}

template <class T>
bool StackEncoder<T>::encode(const T* X, Size X_stride, Size n_rows, T* codes, Size codes_stride,
                             int n_threads) const noexcept {
    if (n_rows < 1) return true;
    const std::size_t n = layers_.size();
    const Size block = n == 1 ? n_rows : std::min(kBlock, n_rows);
    try {
        LocalWorkspace workspace;
        const Between<T> between(workspace.get(), block, between_);
        Workspace unused;  // rows are plain: no layer asks for memory
        for (Size row = 0; row < n_rows; row += block) {
            const Size rows = std::min(block, n_rows - row);
            Samples from = rows_of(X + row * X_stride, X_stride, rows, n_visible());
            for (std::size_t l = 0; l < n; ++l) {
                const Size width = layers_[l]->n_hidden();
                T* const to = l + 1 == n ? codes + row * codes_stride : between.codes[l % 2];
                layers_[l]->encode(from, to, l + 1 == n ? codes_stride : width, n_threads, unused);
                from = rows_of<T>(to, width, rows, width);
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
