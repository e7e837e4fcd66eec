// Convolution and pooling: against layer_forward on copies of the patches.
#include "sae_fast/convolve.hpp"

#include <cstdint>
#include <limits>

#include "problem.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

template <class T>
Images images_of(const std::vector<T>& X, Size n, Size rows, Size columns, Size channels) {
    constexpr Size size = static_cast<Size>(sizeof(T));
    const DType dtype = size == 1 ? DType::uint8 : size == 4 ? DType::float32 : DType::float64;
    return {
        X.data(),        dtype, n, rows, columns, channels, rows * columns * channels * size, columns * channels * size,
        channels * size, size};
}

template <class T>
struct Case {
    Size n, rows, columns, channels, patch_rows, patch_columns, n_hidden;
    Pool pool;
    std::vector<T> W1 = numbers<T>(n_hidden * patch_rows * patch_columns * channels, 1);
    std::vector<T> b1 = numbers<T>(n_hidden, 2);

    Size cell_rows() const { return pooled(rows, patch_rows, pool.rows); }
    Size cell_columns() const { return pooled(columns, patch_columns, pool.columns); }

    std::vector<T> run(const Images& images, int n_threads) const {
        const Filters<T> filters{W1.data(), b1.data(), n_hidden, patch_rows, patch_columns, Unit::sigmoid};
        // One element more at the end, to be left alone.
        std::vector<T> out(static_cast<std::size_t>(n * cell_rows() * cell_columns() * n_hidden + 1), T(-7));
        Workspace workspace;
        convolve(filters, images, pool, out.data(), n_threads, workspace);
        CHECK(out.back() == T(-7));
        out.pop_back();
        return out;
    }

    // Patch by patch, cell by cell.
    template <class Pixel>
    std::vector<double> wanted(const std::vector<Pixel>& X) const {
        std::vector<double> result;
        Workspace workspace;
        std::vector<T> patch, code(b1.size());
        for (Size i = 0; i < n; ++i)
            for (Size cell = 0; cell < cell_rows() * cell_columns(); ++cell) {
                std::vector<double> value(b1.size(), pool.pooling == Pooling::mean ? 0.0 : -1e300);
                for (Size at = 0; at < pool.rows * pool.columns; ++at) {
                    const Size row = cell / cell_columns() * pool.rows + at / pool.columns;
                    const Size column = cell % cell_columns() * pool.columns + at % pool.columns;
                    patch.clear();
                    for (Size r = row; r < row + patch_rows; ++r)
                        for (Size k = column * channels; k < (column + patch_columns) * channels; ++k)
                            patch.push_back(
                                static_cast<T>(X[static_cast<std::size_t>((i * rows + r) * columns * channels + k)]));
                    const Size n_in = static_cast<Size>(patch.size());
                    layer_forward<T>({W1.data(), b1.data(), n_in, n_hidden}, samples(patch, n_in), Unit::sigmoid,
                                     code.data(), n_hidden, 1, workspace);
                    for (std::size_t j = 0; j < code.size(); ++j) {
                        const double c = static_cast<double>(code[j]);
                        value[j] = pool.pooling == Pooling::mean ? value[j] + c : std::fmax(value[j], c);
                    }
                }
                const double count = pool.pooling == Pooling::mean ? static_cast<double>(pool.rows * pool.columns) : 1;
                for (const double v : value) result.push_back(v / count);
            }
        return result;
    }
};

template <class T>
void shapes() {
    const Size few[][7] = {{1, 1, 1, 1, 1, 1, 1},    {2, 5, 4, 1, 5, 4, 7},    {3, 9, 11, 2, 3, 2, 17},
                           {2, 14, 16, 3, 4, 5, 33}, {1, 20, 13, 1, 8, 8, 65}, {4, 6, 6, 1, 3, 3, 49}};
    for (const auto& s : few)
        for (const Size rows : {1, 2, 5})
            for (const Size columns : {1, 3, 6})
                for (const Pooling pooling : {Pooling::mean, Pooling::max}) {
                    const Case<T> c{s[0], s[1], s[2], s[3], s[4], s[5], s[6], {pooling, rows, columns}};
                    if (c.cell_rows() < 1 || c.cell_columns() < 1) continue;
                    const auto X = numbers<T>(s[0] * s[1] * s[2] * s[3], 3);
                    const bool exact = pooling == Pooling::max || rows * columns == 1;
                    const double rounding = exact ? 0 : 16 * static_cast<double>(std::numeric_limits<T>::epsilon());
                    const Images images = images_of(X, s[0], s[1], s[2], s[3]);
                    const auto got = c.run(images, 1);
                    CHECK(difference(got, c.wanted(X)) <= rounding);
                    CHECK(c.run(images, 3) == got);
                }
}

}  // namespace

TEST("pooled codes are those of layer_forward on each patch, for small shapes and both types") {
    shapes<float>();
    shapes<double>();
}

TEST("images of bytes, and any strides, give what converted images give") {
    const Case<double> c{2, 9, 8, 3, 3, 2, 11, {Pooling::mean, 2, 3}};
    std::vector<std::uint8_t> bytes(2 * 9 * 8 * 3);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7919 % 251);
    const std::vector<double> plain(bytes.begin(), bytes.end());
    const auto wanted = c.run(images_of(plain, 2, 9, 8, 3), 1);
    CHECK(c.run(images_of(bytes, 2, 9, 8, 3), 2) == wanted);
    // The same pixels with rows from the end, channels first, and a gap of one byte between columns.
    std::vector<std::uint8_t> other(2 * 3 * 9 * 8 * 2);
    for (Size i = 0; i < 2; ++i)
        for (Size r = 0; r < 9; ++r)
            for (Size k = 0; k < 8; ++k)
                for (Size ch = 0; ch < 3; ++ch)
                    other[static_cast<std::size_t>(((i * 3 + ch) * 9 + 8 - r) * 16 + 2 * k)] =
                        bytes[static_cast<std::size_t>(((i * 9 + r) * 8 + k) * 3 + ch)];
    const Images strided{other.data() + 8 * 16, DType::uint8, 2, 9, 8, 3, 3 * 9 * 16, -16, 2, 9 * 16};
    CHECK(c.run(strided, 1) == wanted);
}

TEST("a map does not depend on the number of threads, whether blocks or panels are dealt out") {
    for (const Size n : {1, 7}) {
        const Case<float> c{n, 40, 37, 3, 6, 5, 150, {Pooling::mean, n == 1 ? Size(35) : Size(4), 7}};
        const auto X = numbers<float>(n * 40 * 37 * 3, 3);
        const Images images = images_of(X, n, 40, 37, 3);
        const auto one = c.run(images, 1);
        for (const int n_threads : {2, 3, 8}) CHECK(c.run(images, n_threads) == one);
    }
}
