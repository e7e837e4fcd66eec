// Statistics of rows that come in, chunk by chunk: what tells whether they are still like others.
//
// Not every row is looked at. Rows are counted within their chunk, from 0: of those whose number is a multiple of
// `summed` the features are summed, of kRanged they are compared with a range, and those of `every` are kept as they
// are. So what is found depends neither on how the rows are cut into calls nor on the number of threads, to the last
// bit.
#pragma once

#include "sae_fast/types.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// How many rows of a chunk have been seen, summed, compared with the range; NaN among what was summed; rows out of the
/// range; rows kept.
struct Tally {
    Size n_rows, n_summed, n_ranged, n_missing, n_outside, n_kept;
};

/// Chunks of chunk_size rows, of which some are full. T is the type of the network: rows are judged in it.
template <class T>
struct Chunks {
    static constexpr Size kRanged = 16;

    Size chunk_size = 0;
    Size n_features = 0;
    Size summed = 0;  // divides kRanged: rows that are compared with the range have been read for their sums
    Size every = 0;
    Size room = 0;             // rows that are kept of a chunk, at most
    const T* low = nullptr;    // (n_features,)
    const T* high = nullptr;   // (n_features,)
    const T* usual = nullptr;  // (n_features,): what is summed in place of NaN and infinity
    double* totals = nullptr;  // (n_chunks, n_features)
    Tally* tallies = nullptr;  // (n_chunks,)
    T* kept = nullptr;         // (n_chunks, room, n_features): rows without NaN and infinity
};

/// Counts the samples from `begin` on in the chunks from `first` on, until `n_chunks` are full; the number of samples
/// that it counted. Throws std::bad_alloc, before it counts anything.
template <class T>
Size count_rows(const Samples& X, Size begin, const Chunks<T>& chunks, Size first, Size n_chunks, int n_threads,
                Workspace& workspace);

/// counts (n_edges, n_features) += how many rows of X (n_rows, n_features) are above each edge.
template <class T>
void count_above(const T* X, Size n_rows, Size n_features, const T* edges, Size n_edges, Size* counts) noexcept;

/// areas (n_edges + 1, n_features) += how far the rows of X (n_rows, n_features) are below the first edge, and how far
/// above each edge, at most to the next one. The edges of a feature rise.
template <class T>
void add_areas(const T* X, Size n_rows, Size n_features, const T* edges, Size n_edges, double* areas) noexcept;

/// Of the codes X of chunks, `sizes` rows each, that follow one another: sums, smallest and largest ones,
/// (n_chunks, n_features) each. Sums go from row to row. A chunk without rows has NaN.
template <class T>
void reduce_chunks(const T* X, const Size* sizes, Size n_chunks, Size n_features, double* sums, double* low,
                   double* high) noexcept;

/// How far the means of columns, totals (n_chunks, n_columns) by `counts` rows, are from `mean`, in units of `sd`, both
/// (n_columns,): shifts (n_chunks, 2) gets the largest distance and their root mean square. Columns whose sd is 0 count
/// as 0, and so does the mean of no rows, but where `totals` has NaN.
void mean_shifts(const double* totals, const Size* counts, Size n_chunks, Size n_columns, const double* mean,
                 const double* sd, double* shifts) noexcept;

/// errors (n_rows,) = 1/2 sum (a3 - target)^2 of each row.
template <class T>
void row_errors(const T* a3, const T* target, Size n_rows, Size n_features, double* errors) noexcept;

}  // namespace sae_fast
