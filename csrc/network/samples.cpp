#include "samples.hpp"

#include <cstdint>
#include <cstring>

namespace sae_fast {

namespace {

template <class T>
constexpr DType kDType = sizeof(T) == 4 ? DType::float32 : DType::float64;

struct Half {
    std::uint16_t bits;
};

float float_of(std::uint32_t bits) noexcept {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// IEEE 754 half precision, 5 bits of exponent and 10 of fraction, moved to where a float has them. Exponents differ by
// 112, those of infinity and NaN by 224. Numbers below 2^-14 have 2^-14 added and subtracted, by which they become
// normal floats: some programs let processors take others for 0.
float value(Half h) noexcept {
    constexpr std::uint32_t exponents = 31 << 23;
    const std::uint32_t size = std::uint32_t(h.bits & 0x7fff) << 13;
    const std::uint32_t exponent = size & exponents;
    const float large = float_of(size + ((exponent == exponents ? 224U : 112U) << 23));
    const float small = float_of(size + (113U << 23)) - 0x1p-14F;
    const float found = exponent == 0 ? small : large;
    return (h.bits & 0x8000) != 0 ? -found : found;
}

template <class S>
S value(S x) noexcept {
    return x;
}

template <class S, class T>
inline void convert_by(Size stride, const char* from, Size n, T* to) noexcept {
    for (Size j = 0; j < n; ++j) {
        S x;
        std::memcpy(&x, from + j * stride, sizeof x);
        to[j] = static_cast<T>(value(x));
    }
}

template <class S, class T>
void convert(const char* from, Size stride, Size n, T* to) noexcept {
    constexpr Size size = static_cast<Size>(sizeof(S));
    if (stride == size) return convert_by<S>(size, from, n, to);  // which compilers make vectors of
    convert_by<S>(stride, from, n, to);
}

const char* row_of(const Samples& X, Size i) noexcept {
    return static_cast<const char*>(X.data) + (X.rows == nullptr ? i : X.rows[i]) * X.row_stride;
}

}  // namespace

template <class T>
void read_sample(const Samples& X, Size i, T* row) noexcept {
    const char* from = row_of(X, i);
    const Size stride = X.column_stride;
    const Size n = X.n_features;
    switch (X.dtype) {
        case DType::float32:
            return convert<float>(from, stride, n, row);
        case DType::float64:
            return convert<double>(from, stride, n, row);
        case DType::float16:
            return convert<Half>(from, stride, n, row);
        case DType::int8:
            return convert<std::int8_t>(from, stride, n, row);
        case DType::int16:
            return convert<std::int16_t>(from, stride, n, row);
        case DType::int32:
            return convert<std::int32_t>(from, stride, n, row);
        case DType::int64:
            return convert<std::int64_t>(from, stride, n, row);
        case DType::uint8:
            return convert<std::uint8_t>(from, stride, n, row);
        case DType::uint16:
            return convert<std::uint16_t>(from, stride, n, row);
        case DType::uint32:
            return convert<std::uint32_t>(from, stride, n, row);
        case DType::uint64:
            return convert<std::uint64_t>(from, stride, n, row);
    }
}

// Are the elements of a row T, side by side and aligned?
template <class T>
static bool is_plain(const Samples& X) noexcept {
    constexpr Size size = static_cast<Size>(sizeof(T));
    return X.dtype == kDType<T> && X.column_stride == size && X.row_stride % size == 0 &&
           reinterpret_cast<std::uintptr_t>(X.data) % sizeof(T) == 0;
}

template <class T>
Left<T> plain_rows(const Samples& X, Size begin) noexcept {
    if (!is_plain<T>(X) || X.rows != nullptr || X.row_stride <= 0) return {nullptr, 0, 0, 0};
    return {reinterpret_cast<const T*>(row_of(X, begin)), 0, 0, X.row_stride / static_cast<Size>(sizeof(T))};
}

template <class T>
void pack_samples(const Samples& X, Size begin, Size n_rows, T* panels, Size capacity, Size row0, T* buffer) noexcept {
    const Kernels<T>& k = kernels<T>();
    const Left<T> rows = plain_rows<T>(X, begin);
    if (rows.ld > 0) return k.pack_rows(rows.data, rows.ld, n_rows, X.n_features, panels, capacity, row0);
    const bool plain = is_plain<T>(X);
    for (Size r = 0; r < n_rows; ++r) {
        const T* from = buffer;
        if (plain)
            from = reinterpret_cast<const T*>(row_of(X, begin + r));
        else
            read_sample(X, begin + r, buffer);
        k.pack_rows(from, X.n_features, 1, X.n_features, panels, capacity, row0 + r);
    }
}

double weight_factor(const double* weight, const Samples& X) noexcept {
    double sum = 0;
    for (Size i = 0; i < X.n_samples; ++i) sum += weight[X.rows == nullptr ? i : X.rows[i]];
    return static_cast<double>(X.n_samples) / sum;
}

template <class T>
void scale_weights(const double* weight, const Samples& X, T* scaled) noexcept {
    const double factor = weight_factor(weight, X);
    for (Size i = 0; i < X.n_samples; ++i)
        scaled[i] = static_cast<T>(weight[X.rows == nullptr ? i : X.rows[i]] * factor);
}

template void read_sample(const Samples&, Size, float*) noexcept;
template void read_sample(const Samples&, Size, double*) noexcept;
template void scale_weights(const double*, const Samples&, float*) noexcept;
template void scale_weights(const double*, const Samples&, double*) noexcept;
template Left<float> plain_rows(const Samples&, Size) noexcept;
template Left<double> plain_rows(const Samples&, Size) noexcept;
template void pack_samples(const Samples&, Size, Size, float*, Size, Size, float*) noexcept;
template void pack_samples(const Samples&, Size, Size, double*, Size, Size, double*) noexcept;

}  // namespace sae_fast
