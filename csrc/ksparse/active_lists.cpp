#include <algorithm>

#include "training_memory.hpp"

namespace sae_fast {

template <class T>
void ActiveLists<T>::reserve(Size n, Size longest) {
    n_rows = n;
    capacity = longest;
    const auto lay_out = [&](Arena& arena) {
        indices = arena.take<int>(n * longest);
        values = arena.take<T>(n * longest);
        counts = arena.take<Size>(n);
    };
    Arena count;
    lay_out(count);
    Arena arena(found_.reserve(count.used()));
    lay_out(arena);
}

template <class T>
Size ActiveLists<T>::n_entries() const noexcept {
    Size n = 0;
    for (Size i = 0; i < n_rows; ++i) n += counts[i];
    return n;
}

// A counting sort: one pass that counts, one that puts each entry into its place.
template <class T>
void ActiveLists<T>::sort(Size n_latents, int n_extra) {
    const Size n = n_entries();
    if (n > room_) room_ = std::max(n, std::min(n + n / 4, n_rows * capacity));
    Size* next = nullptr;
    const auto lay_out = [&](Arena& arena) {
        starts = arena.take<Size>(n_latents + 1);
        next = arena.take<Size>(n_latents);
        begins = arena.take<Size>(n_rows + 1);
        rows = arena.take<int>(room_);
        a = arena.take<T>(room_);
        dz = arena.take<T>(room_);
        for (int x = 0; x < kExtra; ++x) extra[x] = x < n_extra ? arena.take<T>(room_) : nullptr;
        place = arena.take<Size>(room_);
    };
    Arena count;
    lay_out(count);
    Arena arena(sorted_.reserve(count.used()));
    lay_out(arena);
    std::fill(starts, starts + n_latents + 1, Size(0));
    begins[0] = 0;
    for (Size i = 0; i < n_rows; ++i) {
        for (Size e = 0; e < counts[i]; ++e) ++starts[indices_of(i)[e] + 1];
        begins[i + 1] = begins[i] + counts[i];
    }
    for (Size j = 0; j < n_latents; ++j) starts[j + 1] += starts[j];
    std::copy(starts, starts + n_latents, next);
    for (Size i = 0; i < n_rows; ++i)
        for (Size e = 0; e < counts[i]; ++e) {
            const Size at = next[indices_of(i)[e]]++;
            place[begins[i] + e] = at;
            rows[at] = static_cast<int>(i);
        }
}

template struct ActiveLists<float>;
template struct ActiveLists<double>;

}  // namespace sae_fast
