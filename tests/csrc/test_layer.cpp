// One layer: against the naive twin, over shapes, types and strides; the activations over their whole range.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/kernel_table.hpp"
#include "naive.hpp"
#include "problem.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

constexpr Size kSizes[] = {1, 2, 7, 8, 9, 17, 33, 65};
constexpr Size kInputs[] = {1, 2, 5, 16, 25, 61};

template <class T>
std::vector<T> layer(const std::vector<T>& W, const std::vector<T>& b, const Samples& X, Unit unit, int n_threads) {
    Workspace workspace;
    const Size n_out = static_cast<Size>(b.size());
    std::vector<T> out(static_cast<std::size_t>(X.n_samples * n_out));
    layer_forward<T>({W.data(), b.data(), X.n_features, n_out}, X, unit, out.data(), n_out, n_threads, workspace);
    return out;
}

template <class T>
void shapes() {
    for (const Size m : kSizes)
        for (const Size in : kSizes)
            for (const Size n_out : kSizes) {
                const Unit unit = nth_unit(m + in + n_out);
                const auto W = numbers<T>(n_out * in, 1), b = numbers<T>(n_out, 2), X = numbers<T>(m * in, 3);
                const auto wanted = layer_forward_naive(W.data(), b.data(), X, in, n_out, unit);
                const double rounding = 4 * std::numeric_limits<T>::epsilon() * static_cast<double>(in + 4);
                CHECK(difference(layer(W, b, samples(X, in), unit, 1), wanted) < rounding);
            }
}

// Every width of the last panel, with inputs that end anywhere in an interleaved vector, and rows that end anywhere in
// a tile. What stands behind a row is NaN. Codes of a row alone are the same bits.
template <class T>
void widths() {
    const Size m = 15;
    for (const Size in : kInputs)
        for (Size n_out = 1; n_out <= 62; ++n_out) {
            const Unit unit = nth_unit(in + n_out);
            const auto W = numbers<T>(n_out * in, 1), b = numbers<T>(n_out, 2), X = numbers<T>(m * in, 3);
            std::vector<T> apart(static_cast<std::size_t>(m * (in + 20)), std::numeric_limits<T>::quiet_NaN());
            for (Size i = 0; i < m; ++i) std::copy_n(X.begin() + i * in, in, apart.begin() + i * (in + 20));
            Samples rows = samples(apart, in + 20);
            rows.n_features = in;
            const auto wanted = layer_forward_naive(W.data(), b.data(), X, in, n_out, unit);
            const auto found = layer(W, b, rows, unit, 1);
            CHECK(difference(found, wanted) < 4 * std::numeric_limits<T>::epsilon() * static_cast<double>(in + 4));
            for (const Size i : {Size(0), Size(9), Size(14)}) {
                const std::vector<T> row(X.begin() + i * in, X.begin() + (i + 1) * in);
                const std::vector<T> alone = layer(W, b, samples(row, in), unit, 1);
                CHECK(std::equal(alone.begin(), alone.end(), found.begin() + i * n_out));
            }
        }
}

template <class T>
double unit_of(Unit unit, double z) {
    const std::vector<T> one{T(1)}, zero{T(0)}, x{static_cast<T>(z)};
    return static_cast<double>(layer(one, zero, samples(x, 1), unit, 1)[0]);
}

// Largest error in units in the last place, over |z| up to `reach`.
template <class T>
double worst_ulp(Unit unit, double reach) {
    double worst = 0;
    for (int i = -4000; i <= 4000; ++i) {
        const double z = static_cast<double>(static_cast<T>(reach * i / 4000.0 * std::fabs(i / 4000.0)));
        const Real wanted = unit_naive(unit, z);
        const double ulp =
            std::fabs(static_cast<double>(wanted)) * static_cast<double>(std::numeric_limits<T>::epsilon());
        if (ulp < static_cast<double>(std::numeric_limits<T>::min())) continue;
        worst = std::fmax(worst, std::fabs(static_cast<double>(unit_of<T>(unit, z) - wanted)) / ulp);
    }
    return worst;
}

// exp takes another way where its result is not a normal number, vector by vector.
template <class T>
void company() {
    const T far[] = {T(-86.9), T(-87.1), T(-95), T(-103.9), T(-110), T(-707.9), T(-708.1), T(-740), T(-760)};
    const std::vector<T> x{T(1)};
    for (const Unit unit : {Unit::sigmoid, Unit::tanh})
        for (const T beside : far)
            for (const T sign : {T(1), T(-1)}) {
                std::vector<T> W = numbers<T>(40, 5);
                for (std::size_t i = 0; i < W.size(); i += 3) W[i] *= T(30);
                W[7] = sign * beside;
                W[18] = std::numeric_limits<T>::quiet_NaN();
                W[29] = sign * std::numeric_limits<T>::infinity();
                const std::vector<T> found = layer(W, std::vector<T>(40, T(0)), samples(x, 1), unit, 1);
                for (std::size_t i = 0; i < W.size(); ++i) {
                    const double alone = unit_of<T>(unit, static_cast<double>(W[i]));
                    CHECK(i == 18 ? std::isnan(found[i]) : static_cast<double>(found[i]) == alone);
                }
            }
}

// Rows that end within a vector, or with one: sums are rounded alike in tiles of any height, and for one row alone.
template <class T>
void ends_of_rows() {
    const Size m = 15;
    for (const Size in : {5, 11, 23, 100})
        for (Size n_out = 1; n_out <= 66; ++n_out) {
            const auto W = numbers<T>(n_out * in, 1), b = numbers<T>(n_out, 2), X = numbers<T>(m * in, 3);
            const auto many = layer(W, b, samples(X, in), Unit::linear, 1);
            for (Size i = 0; i < m; ++i) {
                const std::vector<T> row(X.begin() + i * in, X.begin() + (i + 1) * in);
                const auto one = layer(W, b, samples(row, in), Unit::linear, 1);
                CHECK(std::equal(one.begin(), one.end(), many.begin() + i * n_out));
            }
        }
}

// The logarithm of x beside others.
double log_of(double x, Size place, Size n) {
    std::vector<double> all(static_cast<std::size_t>(n), 0.3);
    all[static_cast<std::size_t>(place)] = x;
    kernels<double>().logarithms(all.data(), n);
    for (Size i = 0; i < n; ++i)
        CHECK(i == place || std::abs(all[static_cast<std::size_t>(i)] - std::log(0.3)) < 1e-15);
    return all[static_cast<std::size_t>(place)];
}

}  // namespace

TEST("a layer is unit(X W^T + b) for all small shapes and both types") {
    shapes<float>();
    shapes<double>();
}

TEST("a layer of any width is right, and its rows do not depend on one another") {
    widths<float>();
    widths<double>();
}

TEST("one row has the bits that it has among many, wherever rows end") {
    ends_of_rows<float>();
    ends_of_rows<double>();
}

TEST("sigmoid and tanh are right within a few units in the last place over their whole range") {
    CHECK(worst_ulp<float>(Unit::sigmoid, 85) < 3);
    CHECK(worst_ulp<float>(Unit::tanh, 20) < 3);
    CHECK(worst_ulp<double>(Unit::sigmoid, 700) < 3);
    CHECK(worst_ulp<double>(Unit::tanh, 40) < 3);
}

TEST("logarithms are right within two units in the last place, and do not depend on their neighbours") {
    const double inf = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 4000; ++i) {
        const double x = i % 2 == 0 ? std::exp2((i - 2000) / 2.0) * (1 + i * 1e-4) : 1 + (i - 2000) * 1e-4;
        const double is = std::log(x);
        CHECK(std::abs(log_of(x, i % 3, 3) - is) <= 2 * (std::nextafter(std::abs(is), inf) - std::abs(is)));
        CHECK(log_of(x, i % 3, 3) == log_of(x, i % 17, 17));
    }
    for (const Size n : {1, 7, 16}) {
        CHECK(log_of(1, 0, n) == 0 && log_of(0, 0, n) == -inf && log_of(inf, 0, n) == inf);
        CHECK(std::isnan(log_of(std::nan(""), 0, n)) && std::isnan(log_of(-1, 0, n)));
        CHECK(log_of(5e-324, 0, n) == std::log(5e-324) &&
              std::abs(log_of(0x1p-1022, 0, n) + 708.3964185322641) < 1e-12);
    }
}

TEST("activations keep their limits, infinities and NaN") {
    const double inf = std::numeric_limits<double>::infinity();
    for (const Unit unit : {Unit::sigmoid, Unit::tanh}) {
        CHECK(unit_of<double>(unit, inf) == 1 && unit_of<float>(unit, inf) == 1);
        CHECK(unit_of<double>(unit, -inf) == (unit == Unit::tanh ? -1 : 0));
        CHECK(std::isnan(unit_of<double>(unit, std::nan(""))) && std::isnan(unit_of<float>(unit, std::nan(""))));
    }
    CHECK(unit_of<double>(Unit::sigmoid, -745) > 0);
    CHECK(unit_of<double>(Unit::sigmoid, -1e300) == 0);
}

TEST("an activation does not depend on what stands beside it in a vector") {
    company<float>();
    company<double>();
}

TEST("any type, stride and order of the samples gives what the converted array gives") {
    const Size m = 37, in = 19, n_out = 11;
    const auto W = numbers<double>(n_out * in, 1), b = numbers<double>(n_out, 2);
    std::vector<std::int16_t> whole(static_cast<std::size_t>(2 * m * 3 * in));
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<std::int16_t>((i * 7919) % 201) - 100;
    std::vector<Size> rows;
    std::vector<double> plain;
    for (Size i = 0; i < m; ++i) {
        rows.push_back((i * 5) % m);
        // Every second row from the end, every third column.
        for (Size k = 0; k < in; ++k)
            plain.push_back(whole[static_cast<std::size_t>((2 * m - 1 - 2 * rows.back()) * 3 * in + 3 * k)]);
    }
    const Samples X{whole.data() + (2 * m - 1) * 3 * in, DType::int16, m, in, -12 * in, 6, rows.data()};
    CHECK(layer(W, b, X, Unit::sigmoid, 1) == layer(W, b, samples(plain, in), Unit::sigmoid, 1));
}

TEST("a layer does not depend on the number of threads, nor a row on its neighbours") {
    const Size m = 700, in = 60, n_out = 45;
    const auto W = numbers<float>(n_out * in, 1), b = numbers<float>(n_out, 2), X = numbers<float>(m * in, 3);
    const auto whole = layer(W, b, samples(X, in), Unit::tanh, 1);
    for (const int n_threads : {2, 3, 8}) CHECK(layer(W, b, samples(X, in), Unit::tanh, n_threads) == whole);
    for (const Size i : {Size(0), Size(63), Size(64), Size(699)}) {
        const std::vector<float> row(X.begin() + i * in, X.begin() + (i + 1) * in);
        const std::vector<float> alone = layer(W, b, samples(row, in), Unit::tanh, 1);
        CHECK(std::equal(alone.begin(), alone.end(), whole.begin() + i * n_out));
    }
}
