#include "npy.hpp"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <regex>
#include <stdexcept>

namespace {

/// What follows the magic string: two bytes of version, the header's length in 2 or 4 bytes, the header.
std::string read_header(std::ifstream& file) {
    char start[8] = {};
    file.read(start, 8);
    if (!file || std::memcmp(start, "\x93NUMPY", 6) != 0) throw std::runtime_error("is not a .npy file");
    const int n_bytes = start[6] == 1 ? 2 : 4;
    unsigned char bytes[4] = {};
    file.read(reinterpret_cast<char*>(bytes), n_bytes);
    std::uint32_t length = 0;
    for (int i = n_bytes; i-- > 0;) length = length << 8 | bytes[i];
    if (!file || length > 1 << 16) throw std::runtime_error("has a damaged header");
    std::string header(length, ' ');
    file.read(header.data(), length);
    return header;
}

template <class From, class T>
void read_values(std::ifstream& file, std::vector<T>& values) {
    std::vector<From> block(1 << 16);
    for (std::size_t i = 0; i < values.size(); i += block.size()) {
        const std::size_t n = std::min(block.size(), values.size() - i);
        file.read(reinterpret_cast<char*>(block.data()), static_cast<std::streamsize>(n * sizeof(From)));
        if (!file) throw std::runtime_error("is cut short");
        for (std::size_t k = 0; k < n; ++k) values[i + k] = static_cast<T>(block[k]);
    }
}

}  // namespace

template <class T>
Table<T> read_npy(const std::string& path) try {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot be read");
    const std::string header = read_header(file);
    std::smatch type, shape;
    std::regex_search(header, type, std::regex("'descr': '<f([48])'"));
    std::regex_search(header, shape, std::regex("'shape': \\((\\d{1,12}), (\\d{1,6})\\)"));
    const bool is_c_order = header.find("'fortran_order': False") != std::string::npos;
    if (type.empty() || shape.empty() || !is_c_order)
        throw std::runtime_error("must hold a table of float32 or float64 in C order, got " + header);
    Table<T> table;
    table.n_columns = std::stoul(shape[2]);
    const std::size_t n = std::stoul(shape[1]) * table.n_columns, here = static_cast<std::size_t>(file.tellg());
    file.seekg(0, std::ios::end);
    if (n > (static_cast<std::size_t>(file.tellg()) - here) / (type[1] == "4" ? 4 : 8))
        throw std::runtime_error("is cut short");
    file.seekg(static_cast<std::streamoff>(here));
    table.values.resize(n);
    type[1] == "4" ? read_values<float>(file, table.values) : read_values<double>(file, table.values);
    return table;
} catch (const std::runtime_error& error) {
    throw std::runtime_error(path + " " + error.what());
}

template <class T>
Table<T> read_lines(std::FILE* file, std::size_t n_columns, std::size_t most, std::size_t& line) {
    Table<T> table{n_columns, {}};
    std::string text;
    for (int c = 0; c != EOF && table.n_rows() < most;) {
        text.clear();
        while ((c = std::getc(file)) != EOF && c != '\n') text += static_cast<char>(c);
        if (c == EOF && text.empty()) break;
        ++line;
        const std::size_t before = table.values.size();
        const char *p = text.data(), *const end = p + text.size();
        for (;;) {
            while (p != end && std::strchr(" \t\r,", *p) != nullptr) ++p;
            if (p == end) break;
            T value;
            const auto [next, error] = std::from_chars(p, end, value);
            if (error != std::errc())
                throw std::runtime_error("line " + std::to_string(line) + ": not a number: " + std::string(p, end));
            table.values.push_back(value);
            p = next;
        }
        if (const std::size_t n = table.values.size() - before; n != n_columns)
            throw std::runtime_error("line " + std::to_string(line) + " must have " + std::to_string(n_columns) +
                                     " numbers, got " + std::to_string(n));
    }
    return table;
}

template Table<float> read_npy(const std::string&);
template Table<double> read_npy(const std::string&);
template Table<float> read_lines(std::FILE*, std::size_t, std::size_t, std::size_t&);
template Table<double> read_lines(std::FILE*, std::size_t, std::size_t, std::size_t&);
