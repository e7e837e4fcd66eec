#include "sae_fast/chunks.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/kernel_table.hpp"
#include "machine/team.hpp"
#include "network/samples.hpp"

namespace sae_fast {

namespace {

constexpr Size kBlock = 16;     // summed rows: what is compared with the range is in cache
constexpr Size kCounted = 128;  // rows that are counted in registers

// The first of these samples whose number in the chunk, which has `seen` rows, is a multiple of `step`.
Size first_of(Size seen, Size step) noexcept { return (step - seen % step) % step; }

Size count_of(Size n_rows, Size first, Size step) noexcept {
    return n_rows > first ? (n_rows - first + step - 1) / step : 0;
}

// Samples of one chunk.
template <class T>
struct Piece {
    const Samples& X;
    Size begin, n_rows;
    const Chunks<T>& chunks;
    double* total;
    Tally& tally;
    T* kept;
    double* sum;  // (n_features,)
    T* rows;      // (kBlock, n_features)

    void count() noexcept {
        std::copy_n(total, chunks.n_features, sum);
        add();
        if (std::all_of(sum, sum + chunks.n_features, [](double x) { return std::isfinite(x); }))
            std::copy_n(sum, chunks.n_features, total);
        else
            add_finite();
        keep();
        tally.n_summed += count_of(n_rows, first_of(tally.n_rows, kSummed), kSummed);
        tally.n_rows += n_rows;
    }

private:
    static constexpr Size kSummed = Chunks<T>::kSummed, kRanged = Chunks<T>::kRanged;
    static_assert(kRanged % kSummed == 0, "rows that are compared with the range have been read for their sums");

    void add() noexcept {
        const Kernels<T>& k = kernels<T>();
        const Size n = chunks.n_features;
        const Size first = first_of(tally.n_rows, kSummed);
        const Size n_summed = count_of(n_rows, first, kSummed);
        for (Size i = 0; i < n_summed; i += kBlock) {
            const Size some = std::min(kBlock, n_summed - i);
            const Size at = first + i * kSummed;
            const Left<T> plain = plain_rows<T>(X, begin + at);
            if (plain.ld == 0)
                for (Size r = 0; r < some; ++r) read_sample(X, begin + at + r * kSummed, rows + r * n);
            const T* const from = plain.ld > 0 ? plain.data : rows;
            const Size ld = plain.ld > 0 ? plain.ld * kSummed : n;
            k.add_rows(from, ld, some, n, sum);
            for (Size r = 0; r < some; ++r) {
                if ((tally.n_rows + at + r * kSummed) % kRanged != 0) continue;
                tally.n_ranged += 1;
                tally.n_outside += k.strays(from + r * ld, chunks.low, chunks.high, n) ? 1 : 0;
            }
        }
    }

    // In the order of add(), from the same beginning.
    void add_finite() noexcept {
        for (Size i = first_of(tally.n_rows, kSummed); i < n_rows; i += kSummed) {
            read_sample(X, begin + i, rows);
            for (Size c = 0; c < chunks.n_features; ++c) {
                total[c] += static_cast<double>(std::isfinite(rows[c]) ? rows[c] : chunks.usual[c]);
                tally.n_missing += std::isnan(rows[c]) ? 1 : 0;
            }
        }
    }

    void keep() noexcept {
        const Kernels<T>& k = kernels<T>();
        for (Size i = first_of(tally.n_rows, chunks.every); i < n_rows; i += chunks.every) {
            if (tally.n_kept >= chunks.room) return;
            T* const to = kept + tally.n_kept * chunks.n_features;
            const Left<T> plain = plain_rows<T>(X, begin + i);
            if (plain.ld > 0)
                std::copy_n(plain.data, chunks.n_features, to);
            else
                read_sample(X, begin + i, to);
            if (k.shift(to, nullptr, chunks.n_features, nullptr)) tally.n_kept += 1;
        }
    }
};

}  // namespace

template <class T>
Size count_rows(const Samples& X, Size begin, const Chunks<T>& chunks, Size first, Size n_chunks, int n_threads,
                Workspace& workspace) {
    const Size n = chunks.n_features;
    const Size open = chunks.tallies[first].n_rows;  // of the first chunk, before this call
    const Size room = (n_chunks - first) * chunks.chunk_size - open;
    const Size n_rows = std::min(X.n_samples - begin, room);
    if (n_rows <= 0) return 0;
    const Size n_pieces = (open + n_rows + chunks.chunk_size - 1) / chunks.chunk_size;
    const double work = static_cast<double>(n_rows / Chunks<T>::kSummed) * static_cast<double>(n);
    const auto most = static_cast<int>(std::min<Size>(n_pieces, team_size(n_threads, work)));
    const auto lay_out = [&](Arena& arena, double** sums, T** rows) {
        *sums = arena.take<double>(most * n);
        *rows = arena.take<T>(most * kBlock * n);
    };
    double* sums = nullptr;
    T* rows = nullptr;
    Arena counting;
    lay_out(counting, &sums, &rows);
    Arena arena(workspace.reserve(counting.used()));
    lay_out(arena, &sums, &rows);
    parallel(most, [&](Team team) {
        team.each(n_pieces, 1, [&](Range range) {
            for (Size p = range.begin; p < range.end; ++p) {
                const Size from = std::max<Size>(p * chunks.chunk_size - open, 0);
                const Size to = std::min((p + 1) * chunks.chunk_size - open, n_rows);
                const Size chunk = first + p;
                Piece<T>{X,
                         begin + from,
                         to - from,
                         chunks,
                         chunks.totals + chunk * n,
                         chunks.tallies[chunk],
                         chunks.kept + chunk * chunks.room * n,
                         sums + team.id * n,
                         rows + team.id * kBlock * n}
                    .count();
            }
        });
    });
    return n_rows;
}

template <class T>
void count_above(const T* X, Size n_rows, Size n_features, const T* edges, Size n_edges, Size* counts) noexcept {
    for (Size i = 0; i < n_rows; i += kCounted)
        kernels<T>().count_above(X + i * n_features, n_features, std::min(kCounted, n_rows - i), n_features, edges,
                                 n_edges, counts);
}

template <class T>
void add_areas(const T* X, Size n_rows, Size n_features, const T* edges, Size n_edges, double* areas) noexcept {
    for (Size i = 0; i < n_rows; i += kBlock)
        kernels<T>().add_areas(X + i * n_features, n_features, std::min(kBlock, n_rows - i), n_features, edges, n_edges,
                               areas);
}

template <class T>
void row_errors(const T* a3, const T* target, Size n_rows, Size n_features, double* errors) noexcept {
    for (Size i = 0; i < n_rows; ++i)
        errors[i] = 0.5 * kernels<T>().squared_distance(a3 + i * n_features, target + i * n_features, n_features);
}

#define SAE_FAST_CHUNKS(T)                                                                         \
    template Size count_rows(const Samples&, Size, const Chunks<T>&, Size, Size, int, Workspace&); \
    template void count_above(const T*, Size, Size, const T*, Size, Size*) noexcept;               \
    template void add_areas(const T*, Size, Size, const T*, Size, double*) noexcept;               \
    template void row_errors(const T*, const T*, Size, Size, double*) noexcept;
SAE_FAST_CHUNKS(float)
SAE_FAST_CHUNKS(double)

}  // namespace sae_fast
