// Memory is taken in blocks by each member, so that no two of them meet and a row's entries cost no allocation.
#include <algorithm>
#include <cstdint>
#include <new>

#include "machine/team.hpp"
#include "sae_fast/ksparse.hpp"

namespace sae_fast {

template <class T>
void SparseRows<T>::start(Size n_rows, int n_members) {
    members_.clear();
    members_.resize(static_cast<std::size_t>(n_members));
    rows_.assign(static_cast<std::size_t>(n_rows), Row());
}

template <class T>
char* SparseRows<T>::take(Member& member, Size n_bytes) noexcept {
    constexpr Size block_bytes = Size(1) << 20;
    n_bytes = (n_bytes + 15) / 16 * 16;
    if (member.size - member.used < n_bytes) {
        const Size size = std::max(block_bytes, n_bytes);
        std::unique_ptr<char[]> memory(new (std::nothrow) char[static_cast<std::size_t>(size)]);
        std::unique_ptr<Block> block(memory == nullptr ? nullptr : new (std::nothrow) Block());
        if (block == nullptr) return nullptr;
        block->memory = std::move(memory);
        block->before = std::move(member.block);
        member.block = std::move(block);
        member.size = size;
        member.used = 0;
    }
    char* const found = member.block->memory.get() + member.used;
    member.used += n_bytes;
    return found;
}

template <class T>
bool SparseRows<T>::add(int member, Size row, const int* indices, const T* values, Size n) noexcept {
    if (n == 0) return true;
    const Size head = (Size(sizeof(Piece)) + 15) / 16 * 16;
    const Size value_bytes = (n * Size(sizeof(T)) + 15) / 16 * 16;
    char* const memory = take(members_[static_cast<std::size_t>(member)], head + value_bytes + n * Size(sizeof(int)));
    if (memory == nullptr) return false;
    auto* const piece = new (memory) Piece();
    piece->n = n;
    piece->values = reinterpret_cast<T*>(memory + head);
    piece->indices = reinterpret_cast<int*>(memory + head + value_bytes);
    std::copy(values, values + n, piece->values);
    std::copy(indices, indices + n, piece->indices);
    Row& to = rows_[static_cast<std::size_t>(row)];
    (to.last == nullptr ? to.first : to.last->next) = piece;
    to.last = piece;
    to.n += n;
    return true;
}

template <class T>
Size SparseRows<T>::n_entries() const noexcept {
    Size n = 0;
    for (const Row& row : rows_) n += row.n;
    return n;
}

template <class T>
template <class I>
void SparseRows<T>::write(I* starts, I* indices, T* values) const noexcept {
    Size at = 0;
    starts[0] = 0;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
        for (const Piece* piece = rows_[r].first; piece != nullptr; piece = piece->next) {
            std::copy(piece->indices, piece->indices + piece->n, indices + at);
            std::copy(piece->values, piece->values + piece->n, values + at);
            at += piece->n;
        }
        starts[r + 1] = static_cast<I>(at);
    }
}

template class SparseRows<float>;
template class SparseRows<double>;
template void SparseRows<float>::write(int*, int*, float*) const noexcept;
template void SparseRows<double>::write(int*, int*, double*) const noexcept;
template void SparseRows<float>::write(std::int64_t*, std::int64_t*, float*) const noexcept;
template void SparseRows<double>::write(std::int64_t*, std::int64_t*, double*) const noexcept;

}  // namespace sae_fast
