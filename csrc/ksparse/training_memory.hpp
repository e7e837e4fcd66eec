// What a trainer of sparse codes keeps between steps, and lists of active latents.
#pragma once

#include <vector>

#include "sae_fast/ksparse_training.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// Active latents of a minibatch: by row as they are found, and then samples by latent, so that the rows of a gradient
/// have owners.
template <class T>
struct ActiveLists {
    static constexpr int kExtra = 3;

    Size n_rows = 0, capacity = 0;
    int* indices = nullptr;  // (n_rows, capacity), rising
    T* values = nullptr;     // z; y of gated
    Size* counts = nullptr;
    Size* starts = nullptr;  // (n_latents + 1,) of what follows
    int* rows = nullptr;     // rising for each latent
    T* a = nullptr;          // times what errors are to be multiplied by
    T* dz = nullptr;         // the gradient by y
    T* extra[kExtra] = {};   // what is summed for other parameters
    Size* place = nullptr;   // by row: where among the latents
    Size* begins = nullptr;  // (n_rows + 1,) of place

    /// Room for rows of so many entries. Throws std::bad_alloc.
    void reserve(Size n, Size longest);
    /// Entries by latent. Throws std::bad_alloc.
    void sort(Size n_latents, int n_extra);

    int* indices_of(Size i) const noexcept { return indices + i * capacity; }
    T* values_of(Size i) const noexcept { return values + i * capacity; }
    const Size* places_of(Size i) const noexcept { return place + begins[i]; }
    Size n_entries() const noexcept;

private:
    Workspace found_, sorted_;
    Size room_ = 0;
};

template <class T>
struct TrainerMemory {
    Workspace parameters, rows, scratch, encoding, dead_encoder;
    ActiveLists<T> main, multi, aux;
    std::vector<int> dead;
    std::vector<T> candidates;
    T* packed = nullptr;     // panels of W_enc^T
    T* zeros = nullptr;      // (padded,)
    T* threshold = nullptr;  // (padded,): below which nothing is looked at
    T* gain = nullptr;       // gated: exp(r_mag)
    double guess = 0;        // batchtopk: somewhat below what is kept, most likely; changes no result
};

}  // namespace sae_fast
