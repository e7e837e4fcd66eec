// Codes of rows by a model that was trained in Python: embed_cpp MODEL.safetensors [ROWS.npy] > codes.csv
#include <charconv>
#include <cstdio>
#include <exception>
#include <sae_fast/model_file.hpp>
#include <stdexcept>
#include <string>

#include "npy.hpp"

namespace {

constexpr std::size_t kBlock = 1024;  // lines of stdin that are encoded at once

/// With the fewest digits that tell a number from its neighbours.
template <class T>
void print(const std::vector<T>& codes, std::size_t n_columns) {
    std::string text;
    char digits[64];
    for (std::size_t i = 0; i < codes.size(); ++i) {
        text.append(digits, std::to_chars(digits, digits + sizeof digits, codes[i]).ptr);
        text += (i + 1) % n_columns == 0 ? '\n' : ',';
    }
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw std::runtime_error("cannot write codes");
}

template <class T>
void encode(const sae_fast::StackEncoder<T>& encoder, const Table<T>& table) {
    const std::size_t n_codes = static_cast<std::size_t>(encoder.n_hidden());
    std::vector<T> codes(table.n_rows() * n_codes);
    if (!encoder.encode(table.values.data(), static_cast<sae_fast::Size>(table.n_rows()), codes.data()))
        throw std::bad_alloc();
    print(codes, n_codes);
}

template <class T>
void run(const sae_fast::ModelFile& file, const char* rows) {
    const auto encoder = sae_fast::make_encoder<T>(file);
    if (!encoder) throw std::runtime_error(encoder.error());
    const std::size_t n_features = static_cast<std::size_t>(encoder->n_visible());
    if (rows != nullptr) {
        const Table<T> table = read_npy<T>(rows);
        if (table.n_columns != n_features)
            throw std::runtime_error(std::string(rows) + " must have " + std::to_string(n_features) + " columns, got " +
                                     std::to_string(table.n_columns));
        return encode(*encoder, table);
    }
    for (std::size_t line = 0;;) {
        const Table<T> table = read_lines<T>(stdin, n_features, kBlock, line);
        encode(*encoder, table);
        if (table.n_rows() < kBlock) return;
    }
}

}  // namespace

int main(int n_arguments, char** arguments) {
    if (n_arguments < 2 || n_arguments > 3) {
        std::fputs("usage: embed_cpp MODEL.safetensors [ROWS.npy] > codes.csv\n", stderr);
        return 2;
    }
    const auto file = sae_fast::read_model_file(arguments[1]);
    if (!file) {
        std::fprintf(stderr, "embed_cpp: %s\n", file.error().c_str());
        return 1;
    }
    try {
        const char* rows = n_arguments == 3 ? arguments[2] : nullptr;
        file->dtype() == sae_fast::DType::float32 ? run<float>(*file, rows) : run<double>(*file, rows);
        return std::fflush(stdout) == 0 ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "embed_cpp: %s\n", error.what());
        return 1;
    }
}
