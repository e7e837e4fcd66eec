// Sparse codes of many latents: z = (x - b_dec) W_enc^T + b_enc, of which each row keeps a few, in one pass over tiles.
// There is never an array of all z.
//
//   topk        the k largest z of a row, among equal ones the first; those <= 0 are no entries of a code
//               (Makhzani & Frey, "k-Sparse Autoencoders", 2013; Gao et al., "Scaling and evaluating sparse
//               autoencoders", 2024)
//   above       z > threshold >= 0, one for all latents: relu, and batchtopk at inference (Bussmann et al., 2024)
//   above_each  z > threshold_j >= 0: jumprelu (Rajamanoharan et al., 2024)
//   gated       y = (x - b_dec) W_enc^T: z = scale_j y + b_enc_j where y > threshold_j and z > 0 (Rajamanoharan et al.,
//               "Improving dictionary learning with gated sparse autoencoders", 2024)
//   decode      codes W_dec + b_dec
//
// Rows may be normalised first, each by itself: to mean 0 and standard deviation 1, x -> (x - mean) / (std + 1e-5) with
// the std of n - 1 (as OpenAI's sparse_autoencoder), or to length sqrt(n). Their means and lengths are summed in
// float64.
#pragma once

#include <memory>
#include <vector>

#include "sae_fast/types.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// Rows of (index, value), as a call finds them: in any order of rows, by several threads.
template <class T>
class SparseRows {
public:
    /// Throws std::bad_alloc.
    void start(Size n_rows, int n_members);
    /// Appends to a row; by one member at a time. False where memory is short.
    bool add(int member, Size row, const int* indices, const T* values, Size n) noexcept;
    Size n_rows() const noexcept { return static_cast<Size>(rows_.size()); }
    Size n_entries() const noexcept;
    /// As CSR. I: int or a type of 64 bits; starts: (n_rows + 1,), indices and values: (n_entries,).
    template <class I>
    void write(I* starts, I* indices, T* values) const noexcept;

private:
    struct Piece {
        Piece* next;
        Size n;
        int* indices;
        T* values;
    };
    struct Row {
        Piece* first = nullptr;
        Piece* last = nullptr;
        Size n = 0;
    };
    struct Block {
        std::unique_ptr<char[]> memory;
        std::unique_ptr<Block> before;
    };
    struct alignas(64) Member {
        std::unique_ptr<Block> block;
        Size used = 0, size = 0;
    };
    char* take(Member& member, Size n_bytes) noexcept;
    std::vector<Row> rows_;
    std::vector<Member> members_;
};

/// Weights of an encoder. W: (n_latents, n_features), b: (n_latents,).
template <class T>
struct SparseLayer {
    const T* W = nullptr;
    const T* b = nullptr;
    const T* subtract = nullptr;   // (n_features,), from each row first; null: nothing
    const T* threshold = nullptr;  // above: one number; above_each, gated: (n_latents,)
    const T* scale = nullptr;      // gated: (n_latents,)
    Size n_features = 0;
    Size n_latents = 0;  // < 2^31
    Selection selection = Selection::topk;
    Normalization normalization = Normalization::none;  // of each row, before all else
};

/// The first row that has no code, because it has or gives numbers that are not finite.
struct BadRow {
    Size row = -1;      // none
    bool given = true;  // in X itself, or else in z: sums left the range of the type
};

/// Weights packed once. Immutable: any number of threads may use one encoder. The codes of a row depend neither on
/// other rows nor on the number of threads.
template <class T>
class SparseEncoder {
public:
    /// All is copied. Throws std::bad_alloc.
    explicit SparseEncoder(const SparseLayer<T>& layer);

    Size n_features() const noexcept { return parts_.n_features; }
    Size n_latents() const noexcept { return parts_.n_latents; }
    Selection selection() const noexcept { return parts_.selection; }

    /// k: of topk, in [1, n_latents]; otherwise ignored. Entries of a row come in the order of latents. Throws
    /// std::bad_alloc.
    BadRow encode(const Samples& X, Size k, int n_threads, Workspace& workspace, SparseRows<T>& codes) const;
    /// Of topk alone. indices, values: (n_samples, k), the largest first, among equal ones the lower index; the value
    /// is 0 where z <= 0. Throws std::bad_alloc.
    BadRow top(const Samples& X, Size k, int n_threads, Workspace& workspace, int* indices, T* values) const;

    /// Packed; vectors are whole ones.
    struct Parts {
        Size n_features, n_latents;
        Selection selection;
        Normalization normalization;
        const T *W, *bias, *zeros, *subtract, *threshold, *scale;
    };

private:
    Workspace memory_;
    Parts parts_;
};

/// Codes of some rows as CSR; I: int or a type of 64 bits.
template <class T, class I>
struct SparseCodes {
    Size n_rows;
    const I* starts;  // (n_rows + 1,)
    const I* indices;
    const T* values;
};

/// Are the codes such that all indices are in 0 ... n_latents - 1 and all rows in 0 ... n_entries?
template <class T, class I>
bool fits(const SparseCodes<T, I>& codes, Size n_entries, Size n_latents) noexcept;

/// out (n_rows, n_features) = codes W_dec + b_dec, in the order of each row's entries. W_dec: (n_latents, n_features).
template <class T, class I>
void decode(const SparseCodes<T, I>& codes, const T* W_dec, const T* b_dec, Size n_features, T* out,
            int n_threads) noexcept;

}  // namespace sae_fast
