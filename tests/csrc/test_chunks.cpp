// Statistics of rows that are watched: against naive loops, over shapes, types, cuts into calls and threads.
#include <algorithm>
#include <cmath>
#include <limits>

#include "problem.hpp"
#include "sae_fast/chunks.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

template <class T>
struct Watched {
    Size n_chunks, n, room;
    std::vector<T> low, high, usual, kept;
    std::vector<double> totals;
    std::vector<Tally> tallies;
    Chunks<T> chunks;

    Watched(Size n_chunks_, Size n_, Size chunk_size, Size summed, Size every)
        : n_chunks(n_chunks_),
          n(n_),
          room((chunk_size + every - 1) / every),
          low(static_cast<std::size_t>(n), T(-0.9)),
          high(static_cast<std::size_t>(n), T(0.9)),
          usual(static_cast<std::size_t>(n), T(0.25)),
          kept(static_cast<std::size_t>(n_chunks * room * n), T(0)),
          totals(static_cast<std::size_t>(n_chunks * n), 0.0),
          tallies(static_cast<std::size_t>(n_chunks), Tally{}) {
        chunks = {chunk_size,     n,          summed, every, room, low.data(), high.data(), usual.data(), totals.data(),
                  tallies.data(), kept.data()};
    }

    void naive(const std::vector<T>& X, Size n_rows) {
        for (Size i = 0; i < n_rows; ++i) {
            const Size k = i / chunks.chunk_size;
            const Size place = i % chunks.chunk_size;
            const T* const row = X.data() + i * n;
            Tally& tally = tallies[static_cast<std::size_t>(k)];
            bool beyond = false;
            bool finite = true;
            for (Size c = 0; c < n; ++c) {
                beyond = beyond || row[c] < T(-0.9) || row[c] > T(0.9);
                finite = finite && std::isfinite(row[c]);
                if (place % chunks.summed != 0) continue;
                totals[static_cast<std::size_t>(k * n + c)] +=
                    static_cast<double>(std::isfinite(row[c]) ? row[c] : T(0.25));
                tally.n_missing += std::isnan(row[c]) ? 1 : 0;
            }
            tally.n_rows += 1;
            tally.n_summed += place % chunks.summed == 0 ? 1 : 0;
            tally.n_ranged += place % 16 == 0 ? 1 : 0;
            tally.n_outside += place % 16 == 0 && beyond ? 1 : 0;
            if (place % chunks.every == 0 && finite) {
                for (Size c = 0; c < n; ++c) kept[static_cast<std::size_t>((k * room + tally.n_kept) * n + c)] = row[c];
                tally.n_kept += 1;
            }
        }
    }

    bool operator==(const Watched& other) const {
        bool same = totals == other.totals && kept == other.kept;
        for (std::size_t k = 0; k < tallies.size(); ++k) {
            const Tally& a = tallies[k];
            const Tally& b = other.tallies[k];
            same = same && a.n_rows == b.n_rows && a.n_summed == b.n_summed && a.n_ranged == b.n_ranged &&
                   a.n_missing == b.n_missing && a.n_outside == b.n_outside && a.n_kept == b.n_kept;
        }
        return same;
    }
};

template <class T>
void counts_rows(Size n, Size chunk_size, Size summed, Size every, bool gaps) {
    const Size n_rows = 5 * chunk_size / 2;
    std::vector<T> X = numbers<T>(n_rows * n, 7, 1.0);
    if (gaps) {
        X[0] = std::numeric_limits<T>::quiet_NaN();
        X[static_cast<std::size_t>(16 * n + n - 1)] = std::numeric_limits<T>::infinity();
    }
    Samples rows;
    rows.data = X.data();
    rows.dtype = sizeof(T) == 4 ? DType::float32 : DType::float64;
    rows.n_samples = n_rows;
    rows.n_features = n;
    rows.column_stride = static_cast<Size>(sizeof(T));
    rows.row_stride = n * rows.column_stride;
    Watched<T> wanted(3, n, chunk_size, summed, every);
    wanted.naive(X, n_rows);
    for (const int n_threads : {1, 3}) {
        for (const Size step : {Size(1), Size(7), n_rows}) {
            Watched<T> found(3, n, chunk_size, summed, every);
            Workspace workspace;
            for (Size at = 0, first = 0; at < n_rows;) {
                Samples some = rows;
                some.n_samples = std::min(n_rows, at + step);
                at += count_rows(some, at, found.chunks, first, Size(3), n_threads, workspace);
                first = at / chunk_size;
            }
            CHECK(found == wanted);
        }
    }
}

template <class T>
void counts_edges(Size n) {
    const Size n_rows = 41;
    const std::vector<T> X = numbers<T>(n_rows * n, 3, 1.0);
    const std::vector<T> edges = numbers<T>(2 * n, 4, 0.5);
    std::vector<Size> counts(static_cast<std::size_t>(2 * n), 1);
    count_above(X.data(), n_rows, n, edges.data(), Size(2), counts.data());
    std::vector<double> areas(static_cast<std::size_t>(3 * n), 0.0);
    const std::vector<T> rising = [&] {
        std::vector<T> both = edges;
        for (Size c = 0; c < n; ++c) {
            const auto i = static_cast<std::size_t>(c);
            const auto j = static_cast<std::size_t>(n + c);
            if (both[i] > both[j]) std::swap(both[i], both[j]);
        }
        return both;
    }();
    add_areas(X.data(), Size(17), n, rising.data(), Size(2), areas.data());  // in two calls: sums go on
    add_areas(X.data() + 17 * n, n_rows - 17, n, rising.data(), Size(2), areas.data());
    for (Size c = 0; c < n; ++c) {
        double wanted[3] = {};
        const auto a = static_cast<double>(rising[static_cast<std::size_t>(c)]);
        const auto b = static_cast<double>(rising[static_cast<std::size_t>(n + c)]);
        for (Size r = 0; r < n_rows; ++r) {
            const auto x = static_cast<double>(X[static_cast<std::size_t>(r * n + c)]);
            wanted[0] += x < a ? a - x : 0.0;
            wanted[1] += std::min(std::max(x, a), b) - a;
            wanted[2] += x > b ? x - b : 0.0;
        }
        for (Size e = 0; e < 3; ++e) CHECK(areas[static_cast<std::size_t>(e * n + c)] == wanted[e]);
    }
    std::vector<double> errors(static_cast<std::size_t>(n_rows / 2));
    row_errors(X.data(), X.data() + (n_rows / 2) * n, n_rows / 2, n, errors.data());
    for (Size e = 0; e < 2 * n; ++e) {
        Size wanted = 1;
        for (Size r = 0; r < n_rows; ++r)
            wanted += X[static_cast<std::size_t>(r * n + e % n)] > edges[static_cast<std::size_t>(e)] ? 1 : 0;
        CHECK(counts[static_cast<std::size_t>(e)] == wanted);
    }
    for (Size r = 0; r < n_rows / 2; ++r) {
        double wanted = 0;
        for (Size c = 0; c < n; ++c) {
            const double apart = static_cast<double>(X[static_cast<std::size_t>(r * n + c)]) -
                                 static_cast<double>(X[static_cast<std::size_t>((r + n_rows / 2) * n + c)]);
            wanted += apart * apart / 2;
        }
        CHECK(std::fabs(errors[static_cast<std::size_t>(r)] - wanted) <= 1e-12 * (1 + wanted));
    }
}

// Three chunks, of which the second one has no rows.
template <class T>
void reduces(Size n) {
    const Size sizes[3] = {5, 0, 2};
    const std::vector<T> X = numbers<T>(7 * n, 5, 1.0);
    std::vector<double> sums(static_cast<std::size_t>(3 * n));
    std::vector<double> low = sums;
    std::vector<double> high = sums;
    reduce_chunks(X.data(), sizes, Size(3), n, sums.data(), low.data(), high.data());
    for (Size k = 0, row = 0; k < 3; row += sizes[k++]) {
        for (Size c = 0; c < n; ++c) {
            const auto i = static_cast<std::size_t>(k * n + c);
            if (sizes[k] == 0) {
                CHECK(std::isnan(sums[i]) && std::isnan(low[i]) && std::isnan(high[i]));
                continue;
            }
            double sum = 0;
            double least = HUGE_VAL;
            double most = -HUGE_VAL;
            for (Size r = row; r < row + sizes[k]; ++r) {
                const auto x = static_cast<double>(X[static_cast<std::size_t>(r * n + c)]);
                sum += x;
                least = std::min(least, x);
                most = std::max(most, x);
            }
            CHECK(sums[i] == sum && low[i] == least && high[i] == most);
        }
    }
}

// By a column that does not vary, too; and of no rows.
void shifts(Size n) {
    const std::vector<double> totals = numbers<double>(2 * n, 6, 9.0);
    const std::vector<double> mean = numbers<double>(n, 7, 1.0);
    std::vector<double> sd(static_cast<std::size_t>(n), 0.5);
    sd[0] = n > 1 ? 0.0 : 0.5;
    const Size counts[2] = {3, 0};
    double found[4];
    mean_shifts(totals.data(), counts, Size(2), n, mean.data(), sd.data(), found);
    for (Size k = 0; k < 2; ++k) {
        double largest = 0;
        double squares = 0;
        for (Size c = 0; c < n; ++c) {
            const auto i = static_cast<std::size_t>(c);
            if (sd[i] == 0) continue;
            const double x = (totals[static_cast<std::size_t>(k * n + c)] / (k == 0 ? 3.0 : 1.0) - mean[i]) / sd[i];
            largest = std::max(largest, std::fabs(x));
            squares += x * x;
        }
        CHECK(std::fabs(found[2 * k] - largest) <= 1e-13 * largest);
        CHECK(std::fabs(found[2 * k + 1] - std::sqrt(squares / static_cast<double>(n))) <= 1e-13 * largest);
    }
}

TEST("codes of chunks are reduced, and means compared, as a plain loop does it") {
    for (const Size n : {1, 7, 8, 17, 33, 65}) {
        reduces<float>(n);
        reduces<double>(n);
        shifts(n);
    }
}

TEST("chunks have the counts and sums of a plain loop, however rows come in, on any number of threads") {
    for (const Size n : {1, 7, 8, 17, 33, 65}) {
        for (const bool gaps : {false, true}) {
            for (const Size summed : {4, 8, 16}) {
                counts_rows<float>(n, 300, summed, 8, gaps);  // more than one block of rows that are summed
                counts_rows<double>(n, 61, summed, 5, gaps);
            }
        }
        counts_edges<float>(n);
        counts_edges<double>(n);
    }
}

}  // namespace
