// Sparse codes: against a naive choice from all latents, over shapes, selections, types and threads.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

#include "problem.hpp"
#include "sae_fast/ksparse.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

// Small integers, whose sums are exact and often equal.
template <class T>
std::vector<T> integers(Size n, unsigned seed) {
    std::vector<T> values = numbers<T>(n, seed, 3.49);
    for (T& v : values) v = std::round(v);
    return values;
}

template <class T>
struct Csr {
    std::vector<int> starts, indices;
    std::vector<T> values;
    bool operator==(const Csr& other) const {
        return starts == other.starts && indices == other.indices && values == other.values;
    }
};

template <class T>
Csr<T> encode(const SparseEncoder<T>& encoder, const Samples& X, Size k, int n_threads) {
    Workspace workspace;
    SparseRows<T> rows;
    CHECK(encoder.encode(X, k, n_threads, workspace, rows).row == -1);
    const auto n = static_cast<std::size_t>(rows.n_entries());
    Csr<T> codes{std::vector<int>(static_cast<std::size_t>(X.n_samples) + 1), std::vector<int>(n), std::vector<T>(n)};
    rows.write(codes.starts.data(), codes.indices.data(), codes.values.data());
    return codes;
}

template <class T>
struct Example {
    Size m, d, h;
    std::vector<T> W, b, subtract, threshold, scale, X;

    Example(Size m_, Size d_, Size h_)
        : m(m_),
          d(d_),
          h(h_),
          W(integers<T>(h * d, 1)),
          b(integers<T>(h, 2)),
          subtract(integers<T>(d, 3)),
          threshold(integers<T>(h, 4)),
          scale(static_cast<std::size_t>(h), T(2)),
          X(integers<T>(m * d, 5)) {
        for (T& t : threshold) t = std::fabs(t);
    }
    SparseLayer<T> layer(Selection selection) const {
        return {W.data(), b.data(), subtract.data(), threshold.data(), scale.data(), d, h, selection};
    }
    /// Of the latents that a row chooses, z, others 0.
    std::vector<T> row(Selection selection, Size i, Size k) const {
        std::vector<T> z(static_cast<std::size_t>(h)), chosen(static_cast<std::size_t>(h), T(0));
        std::vector<std::size_t> order(static_cast<std::size_t>(h));
        std::iota(order.begin(), order.end(), std::size_t(0));
        for (const std::size_t j : order) {
            T y = 0;
            for (Size c = 0; c < d; ++c)
                y += (X[static_cast<std::size_t>(i * d + c)] - subtract[static_cast<std::size_t>(c)]) *
                     W[j * static_cast<std::size_t>(d) + static_cast<std::size_t>(c)];
            z[j] = (selection == Selection::gated ? scale[j] * y : y) + b[j];
            const T bound = selection == Selection::above ? threshold[0] : threshold[j];
            if (selection != Selection::topk && (selection == Selection::gated ? y : z[j]) > bound && z[j] > 0)
                chosen[j] = z[j];
        }
        if (selection != Selection::topk) return chosen;
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t c) { return z[a] > z[c]; });
        for (Size n = 0; n < k; ++n)
            chosen[order[static_cast<std::size_t>(n)]] = std::max(z[order[static_cast<std::size_t>(n)]], T(0));
        return chosen;
    }
};

template <class T>
void codes_are_naive() {
    constexpr Size sizes[] = {1, 2, 9, 33, 65, 131};
    for (const Size m : {Size(1), Size(2), Size(16), Size(17), Size(70)})
        for (const Size d : {Size(1), Size(7), Size(40)})
            for (const Size h : sizes) {
                const Example<T> example(m, d, h);
                for (int s = 0; s < 4; ++s) {
                    const auto selection = static_cast<Selection>(s);
                    const SparseEncoder<T> encoder(example.layer(selection));
                    const Size k = (h + m % 3) / 3 + 1 <= h ? (h + m % 3) / 3 + 1 : 1;
                    const Csr<T> codes = encode(encoder, samples(example.X, d), k, 1);
                    std::vector<T> found(static_cast<std::size_t>(m * h), T(0)), wanted;
                    bool rising = true;
                    for (Size i = 0; i < m; ++i) {
                        const auto row = example.row(selection, i, k);
                        wanted.insert(wanted.end(), row.begin(), row.end());
                        for (int e = codes.starts[static_cast<std::size_t>(i)];
                             e < codes.starts[static_cast<std::size_t>(i) + 1]; ++e) {
                            const auto at = static_cast<std::size_t>(e);
                            rising = rising && (e == codes.starts[static_cast<std::size_t>(i)] ||
                                                codes.indices[at - 1] < codes.indices[at]);
                            found[static_cast<std::size_t>(i * h + codes.indices[at])] = codes.values[at];
                        }
                    }
                    CHECK(rising);
                    CHECK(found == wanted);
                    for (const int n_threads : {2, 3})
                        CHECK(encode(encoder, samples(example.X, d), k, n_threads) == codes);
                }
            }
}

template <class T>
void decode_is_naive() {
    for (const Size d : {Size(1), Size(7), Size(64), Size(131)}) {
        const std::vector<T> W = integers<T>(9 * d, 1), b = integers<T>(d, 2);
        const std::vector<std::int64_t> starts{0, 2, 2, 5}, indices{1, 8, 0, 3, 8};
        const std::vector<int> few_starts{0, 2, 2, 5}, few{1, 8, 0, 3, 8};
        const std::vector<T> values{2, -1, 3, 1, 1};
        std::vector<T> wanted, out(static_cast<std::size_t>(3 * d)), narrow(out);
        for (std::size_t r = 0; r < 3; ++r)
            for (std::size_t c = 0; c < static_cast<std::size_t>(d); ++c) {
                T sum = b[c];
                for (auto e = static_cast<std::size_t>(starts[r]); e < static_cast<std::size_t>(starts[r + 1]); ++e)
                    sum += values[e] * W[static_cast<std::size_t>(indices[e] * d) + c];
                wanted.push_back(sum);
            }
        const SparseCodes<T, std::int64_t> codes{3, starts.data(), indices.data(), values.data()};
        CHECK(fits(codes, 5, 9));
        CHECK(!fits(codes, 5, 8));
        CHECK(!fits(codes, 4, 9));
        decode(codes, W.data(), b.data(), d, out.data(), 1);
        CHECK(out == wanted);
        decode(SparseCodes<T, int>{3, few_starts.data(), few.data(), values.data()}, W.data(), b.data(), d,
               narrow.data(), 2);
        CHECK(narrow == wanted);
    }
}

template <class T>
void bad_rows_are_named() {
    Example<T> example(70, 7, 33);
    example.X[7 * 41 + 3] = std::numeric_limits<T>::quiet_NaN();
    example.X[7 * 65 + 3] = std::numeric_limits<T>::infinity();
    for (int s = 0; s < 4; ++s) {
        const SparseEncoder<T> encoder(example.layer(static_cast<Selection>(s)));
        Workspace workspace;
        SparseRows<T> rows;
        const BadRow bad = encoder.encode(samples(example.X, 7), 3, 2, workspace, rows);
        CHECK(bad.row == 41);
        CHECK(bad.given);
    }
}

}  // namespace

TEST("sparse codes are those chosen from all latents, on any number of threads, float32") { codes_are_naive<float>(); }
TEST("sparse codes are those chosen from all latents, on any number of threads, float64") { codes_are_naive<double>(); }
TEST("sparse codes are decoded in the order of their entries") {
    decode_is_naive<float>();
    decode_is_naive<double>();
}
TEST("the first row that is not finite is named") {
    bad_rows_are_named<float>();
    bad_rows_are_named<double>();
}
