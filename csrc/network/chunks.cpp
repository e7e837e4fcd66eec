#include "sae_fast/chunks.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/kernel_table.hpp"
#include "machine/team.hpp"
#include "network/samples.hpp"

namespace sae_fast {

namespace {

constexpr Size kBlock = 16;     // summed rows: what is compared with the range is in cache
constexpr Size kCounted = 128;  // rows that are counted in registers
// Rows that are summed in one walk, and compared while they are in cache; meanwhile the next ones are asked for, no
// more: rows that are 4 KiB apart share the same few places of a cache.
constexpr Size kTogether = 4;
constexpr Size kNarrow = 1024;  // bytes of a row: too few, too far from the next one, for the hardware to foresee

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

    static constexpr Size kSize = sizeof(T), kLine = 64;

    void count() noexcept {
        std::copy_n(total, chunks.n_features, sum);
        add();
        if (std::all_of(sum, sum + chunks.n_features, [](double x) { return std::isfinite(x); }))
            std::copy_n(sum, chunks.n_features, total);
        else
            add_finite();
        keep();
        tally.n_summed += count_of(n_rows, first_of(tally.n_rows, chunks.summed), chunks.summed);
        tally.n_rows += n_rows;
    }

private:
    void add() noexcept {
        const Kernels<T>& k = kernels<T>();
        const Size n = chunks.n_features;
        const Size step = chunks.summed;
        const Size first = first_of(tally.n_rows, step);
        const Size n_summed = count_of(n_rows, first, step);
        for (Size i = 0; i < n_summed; i += kBlock) {
            const Size some = std::min(kBlock, n_summed - i);
            const Size at = first + i * step;
            const Left<T> plain = plain_rows<T>(X, begin + at);
            if (plain.ld == 0)
                for (Size r = 0; r < some; ++r) read_sample(X, begin + at + r * step, rows + r * n);
            const T* const from = plain.ld > 0 ? plain.data : rows;
            const Size ld = plain.ld > 0 ? plain.ld * step : n;
            for (Size r = 0; r < some; r += kTogether) {
                if (plain.ld > 0 && n * kSize <= kNarrow)
                    for (Size a = r + kTogether; a < std::min(r + 2 * kTogether, n_summed - i); ++a) ask(from + a * ld);
                const Size rows_here = std::min(kTogether, some - r);
                k.add_rows(from + r * ld, ld, rows_here, n, sum);
                compare(from + r * ld, ld, rows_here, at + r * step);
            }
        }
    }

    // Those of the rows that have just been summed, from `at` on in this piece, whose number is a multiple of kRanged.
    void compare(const T* from, Size ld, Size some, Size at) noexcept {
        const Size apart = Chunks<T>::kRanged / chunks.summed;
        const Size first = first_of((tally.n_rows + at) / chunks.summed, apart);
        const Size n_ranged = count_of(some, first, apart);
        if (n_ranged == 0) return;
        tally.n_ranged += n_ranged;
        tally.n_outside += kernels<T>().count_strays(from + first * ld, ld * apart, n_ranged, chunks.n_features,
                                                     chunks.low, chunks.high);
    }

    void ask(const T* row) const noexcept {
        for (Size c = 0; c < chunks.n_features; c += kLine / kSize) __builtin_prefetch(row + c);
    }

    // In the order of add(), from the same beginning.
    void add_finite() noexcept {
        for (Size i = first_of(tally.n_rows, chunks.summed); i < n_rows; i += chunks.summed) {
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
    const double work = static_cast<double>(n_rows / chunks.summed) * static_cast<double>(n);
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
void reduce_chunks(const T* X, const Size* sizes, Size n_chunks, Size n_features, double* sums, double* low,
                   double* high) noexcept {
    for (Size i = 0; i < n_chunks; ++i) {
        kernels<T>().reduce_rows(X, sizes[i], n_features, sums + i * n_features, low + i * n_features,
                                 high + i * n_features);
        X += sizes[i] * n_features;
    }
}

void mean_shifts(const double* totals, const Size* counts, Size n_chunks, Size n_columns, const double* mean,
                 const double* sd, double* shifts) noexcept {
    constexpr Size kSome = 8;  // columns side by side, whose sums are added up in the end
    for (Size i = 0; i < n_chunks; ++i) {
        const double* const total = totals + i * n_columns;
        const double rows = static_cast<double>(std::max<Size>(counts[i], 1));
        double largest[kSome] = {};
        double squares[kSome] = {};
        const auto add = [&](Size c, Size j) noexcept {
            const double far = std::fabs(total[c] - rows * mean[c]) / (rows * sd[c]);
            const double x = sd[c] > 0 ? far : 0.0;
            largest[j] = x > largest[j] ? x : largest[j];
            squares[j] += x * x;
        };
        Size c = 0;
        for (; c + kSome <= n_columns; c += kSome)
            for (Size j = 0; j < kSome; ++j) add(c + j, j);
        for (Size j = 0; c < n_columns; ++c, ++j) add(c, j);
        const double all = std::accumulate(squares, squares + kSome, 0.0);
        shifts[2 * i] = std::isnan(all) ? all : *std::max_element(largest, largest + kSome);
        shifts[2 * i + 1] = std::sqrt(all / static_cast<double>(n_columns));
    }
}

template <class T>
void row_errors(const T* a3, const T* target, Size n_rows, Size n_features, double* errors) noexcept {
    for (Size i = 0; i < n_rows; ++i)
        errors[i] = 0.5 * kernels<T>().squared_distance(a3 + i * n_features, target + i * n_features, n_features);
}

#define SAE_FAST_CHUNKS(T)                                                                              \
    template Size count_rows(const Samples&, Size, const Chunks<T>&, Size, Size, int, Workspace&);      \
    template void count_above(const T*, Size, Size, const T*, Size, Size*) noexcept;                    \
    template void add_areas(const T*, Size, Size, const T*, Size, double*) noexcept;                    \
    template void reduce_chunks(const T*, const Size*, Size, Size, double*, double*, double*) noexcept; \
    template void row_errors(const T*, const T*, Size, Size, double*) noexcept;
SAE_FAST_CHUNKS(float)
SAE_FAST_CHUNKS(double)

}  // namespace sae_fast
