// Tables of numbers: .npy files, and lines of text.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

template <class T>
struct Table {
    std::size_t n_columns = 0;
    std::vector<T> values;  // row by row

    std::size_t n_rows() const { return n_columns == 0 ? 0 : values.size() / n_columns; }
};

/// A two-dimensional .npy file of float32 or float64, in C order. Throws std::runtime_error.
template <class T>
Table<T> read_npy(const std::string& path);

/// The next `most` lines, or as many as there are: numbers between spaces, tabs or commas, n_columns in each line.
/// Throws std::runtime_error that names the line; `line` counts them.
template <class T>
Table<T> read_lines(std::FILE* file, std::size_t n_columns, std::size_t most, std::size_t& line);
