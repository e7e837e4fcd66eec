#include "sae_fast/convolve.hpp"

#include <algorithm>

#include "kernels/kernel_table.hpp"
#include "layer.hpp"
#include "machine/team.hpp"
#include "samples.hpp"

namespace sae_fast {

namespace {

// Positions that a block has at least, where the image has them: a strip that ends with its block should be a full one.
constexpr Size kBlockPositions = 4 * kStrip;

// The cells of one image, cut into blocks of whole rows of cells. Cut by sizes alone: a cell's sum is interrupted
// where a strip ends, and strips begin with their block.
struct Cells {
    Size rows, columns;            // cells
    Size pool_rows, pool_columns;  // positions in a cell
    Size block_rows;               // rows of cells in a block

    Cells(const Images& images, Size patch_rows, Size patch_columns, const Pool& pool) noexcept
        : rows(pooled(images.n_rows, patch_rows, pool.rows)),
          columns(pooled(images.n_columns, patch_columns, pool.columns)),
          pool_rows(pool.rows),
          pool_columns(pool.columns),
          block_rows(std::min(rows, (kBlockPositions - 1) / (size() * columns) + 1)) {}

    Size size() const noexcept { return pool_rows * pool_columns; }
    Size n_blocks() const noexcept { return (rows + block_rows - 1) / block_rows; }
    Size block_height() const noexcept { return block_rows * pool_rows; }  // positions
};

// Rows of an image, (n_rows, n_columns * n_channels): where they lie, or converted.
template <class T>
struct ImageRows {
    const T* data;
    Size ld;
};

// Goes through the positions of a block: cell by cell, in a cell row by row.
template <class T>
class Walk {
public:
    Walk(const Cells& cells, ImageRows<T> image, Size n_channels) noexcept
        : cells_(cells), image_(image), n_channels_(n_channels) {}

    void next(Size n, const T** patches) noexcept {
        for (Size i = 0; i < n; ++i) {
            const Size row = cell_row_ * cells_.pool_rows + row_;
            const Size column = cell_column_ * cells_.pool_columns + column_;
            patches[i] = image_.data + row * image_.ld + column * n_channels_;
            step();
        }
    }

private:
    const Cells& cells_;
    ImageRows<T> image_;
    Size n_channels_;
    Size cell_row_ = 0, cell_column_ = 0, row_ = 0, column_ = 0;

    void step() noexcept {
        if (++column_ < cells_.pool_columns) return;
        column_ = 0;
        if (++row_ < cells_.pool_rows) return;
        row_ = 0;
        if (++cell_column_ < cells_.columns) return;
        cell_column_ = 0;
        ++cell_row_;
    }
};

// The rows of image i as samples; whether pixels and their channels are one sequence with one stride.
bool rows_of(const Images& images, Size i, Samples& rows) noexcept {
    const Size c = images.n_channels;
    rows.data = static_cast<const char*>(images.data) + i * images.image_stride;
    rows.dtype = images.dtype;
    rows.n_samples = images.n_rows;
    rows.n_features = images.n_columns * c;
    rows.row_stride = images.row_stride;
    rows.column_stride = c == 1 ? images.column_stride : images.channel_stride;
    return c == 1 || images.n_columns == 1 || images.column_stride == c * images.channel_stride;
}

// Can the rows of every image be read where they lie?
template <class T>
bool are_plain(const Images& images) noexcept {
    Samples rows;
    return rows_of(images, 0, rows) && plain_rows<T>(rows, 0).ld > 0 &&
           images.image_stride % static_cast<Size>(sizeof(T)) == 0;
}

// Memory of one thread.
template <class T>
struct Memory {
    T* band = nullptr;       // (rows of a block, columns * channels): image rows, converted
    T* line = nullptr;       // (columns,): one channel of a row
    double* kept = nullptr;  // (padded n_hidden,): cells between strips
    T* copies = nullptr;     // (kStrip, patch), only where there is an interleaved panel
};

// Rows begin ... end - 1 of image i, converted.
template <class T>
void read_rows(const Images& images, Size i, Size begin, Size end, const Memory<T>& memory) noexcept {
    Samples rows;
    const bool whole = rows_of(images, i, rows);
    const Size ld = rows.n_features;
    for (Size row = begin; row < end; ++row) {
        T* to = memory.band + (row - begin) * ld;
        if (whole) {
            read_sample(rows, row, to);
            continue;
        }
        for (Size c = 0; c < images.n_channels; ++c) {
            Samples channel = rows;
            channel.data = static_cast<const char*>(rows.data) + c * images.channel_stride;
            channel.n_features = images.n_columns;
            channel.column_stride = images.column_stride;
            read_sample(channel, row, memory.line);
            for (Size j = 0; j < images.n_columns; ++j) to[j * images.n_channels + c] = memory.line[j];
        }
    }
}

template <class T>
struct Work {
    const Filters<T>& filters;
    const Images& images;
    const Pool& pool;
    Cells cells;
    PackedLayer<T> layer;
    Size in_panels;  // panels that a row of n_in columns would have
    bool plain;
    T* out;
};

template <class T>
void copy_patches(const Patches<T>& A, Size n_rows, T* to) noexcept {
    for (Size r = 0; r < n_rows; ++r)
        for (Size run = 0; run < A.n_runs; ++run, to += A.run) {
            const T* from = A.rows[r] + run * A.run_stride;
            std::copy(from, from + A.run, to);
        }
}

// One block of one image for some panels of filters: strip by strip product, activation, pooling.
template <class T>
void convolve_block(Team team, const Work<T>& w, Size i, Size block, Range panels, const Memory<T>& memory) noexcept {
    const Kernels<T>& k = kernels<T>();
    const Cells& cells = w.cells;
    const PanelSplit& split = w.layer.split;
    const Size n_channels = w.images.n_channels;
    const Size n_out = w.filters.n_hidden;
    const Size first = block * cells.block_rows;
    const Size n_rows = std::min(cells.block_rows, cells.rows - first);
    const Size top = first * cells.pool_rows;

    ImageRows<T> image{memory.band, w.images.n_columns * n_channels};
    if (w.plain) {
        Samples rows;
        rows_of(w.images, i, rows);
        const Left<T> lying = plain_rows<T>(rows, top);
        image = {lying.data, lying.ld};
    } else {
        read_rows(w.images, i, top, top + n_rows * cells.pool_rows + w.filters.patch_rows - 1, memory);
    }

    alignas(64) T z[3 * 64 / sizeof(T) * static_cast<std::size_t>(kStrip)];
    const T* patches[kStrip];
    const Patches<T> A{patches, w.filters.patch_rows, w.filters.patch_columns * n_channels, image.ld};
    const Size cell = cells.size();
    const Size n_positions = n_rows * cells.columns * cell;
    T* out = w.out + (i * cells.rows + first) * cells.columns * n_out;
    Walk<T> walk(cells, image, n_channels);
    for (Size at = 0; at < n_positions; at += kStrip) {
        const Size n = std::min(kStrip, n_positions - at);
        walk.next(n, patches);
        if (panels.end > split.n_plain()) copy_patches(A, n, memory.copies);
        T* to = out + at / cell * n_out;
        for (Size p = panels.begin; p < panels.end; ++p) {
            const Size offset = split.offset(p);
            const Size n_vec = split.vectors(p);
            if (team.stops(n, w.layer.n_in, split.width(p))) return;
            const T* bias = w.layer.bias + offset;
            const T* W = w.layer.W + offset * w.layer.n_in;
            if (p < split.n_plain())
                k.product_patches(A, n, W, n_vec, z);
            else
                k.product({memory.copies, 0, 0, w.layer.n_in}, n, w.layer.n_in, {0, w.in_panels}, W, split.shape(p), z);
            if (cell == 1) {
                k.activate(w.layer.unit, z, n, n_vec, split.used(p), bias, to + offset, n_out);
            } else {
                k.activate(w.layer.unit, z, n, n_vec, split.width(p), bias, z, split.width(p));
                k.pool(w.pool.pooling, z, n, n_vec, split.used(p), cell, at % cell, memory.kept + offset, to + offset,
                       n_out);
            }
        }
    }
}

}  // namespace

template <class T>
void convolve(const Filters<T>& filters, const Images& images, const Pool& pool, T* out, int n_threads,
              Workspace& workspace) {
    const Kernels<T>& k = kernels<T>();
    const Size n_in = filters.patch_rows * filters.patch_columns * images.n_channels;
    const PanelSplit split(filters.n_hidden, k.lanes);
    const Cells cells(images, filters.patch_rows, filters.patch_columns, pool);
    const Size n_positions = images.n_images * cells.rows * cells.columns * cells.size();
    const int n = layer_team_size(n_threads, n_positions, n_in, filters.n_hidden);
    const bool plain = are_plain<T>(images);
    const Size band_rows = plain ? 0 : cells.block_height() + filters.patch_rows - 1;
    const PanelSplit band(band_rows * images.n_columns * images.n_channels, k.lanes);
    const PanelSplit line(plain ? 0 : images.n_columns, k.lanes);
    const auto lay_out = [&](Arena& arena, T*& panels, T*& bias) {
        panels = arena.take<T>(split.right(n_in));
        bias = arena.take<T>(repeated_bias(split));
        return Memory<T>{arena.take<T>(n * band.padded()), arena.take<T>(n * line.padded()),
                         arena.take<double>(n * split.padded()),
                         split.ways > 1 ? arena.take<T>(n * kStrip * n_in) : nullptr};
    };
    T* panels;
    T* bias;
    Arena count;
    lay_out(count, panels, bias);
    Arena arena(workspace.reserve(count.used()));
    const Memory<T> memory = lay_out(arena, panels, bias);

    repeat_bias(filters.b1, split, bias);
    const Work<T> work{
        filters, images, pool, cells, {split, n_in, panels, bias, filters.hidden}, PanelSplit(n_in, k.lanes).count(),
        plain,   out};
    parallel(n, [&](Team team) {
        const Range packed = team.share(split.count());
        k.pack_transposed(filters.W1, n_in, filters.n_hidden, n_in, panels, packed.begin, packed.end);
        team.barrier();
        const Memory<T> own{memory.band + team.id * band.padded(), memory.line + team.id * line.padded(),
                            memory.kept + team.id * split.padded(),
                            memory.copies == nullptr ? nullptr : memory.copies + team.id * kStrip * n_in};
        // No result depends on how the blocks are dealt out; where they are few, each is shared by panels.
        const Size blocks = images.n_images * cells.n_blocks();
        const Size parts = blocks >= 2 * team.n ? 1 : std::min(split.count(), 2 * team.n / blocks);
        team.each(blocks * parts, 1, [&](Range item) {
            if (team.stops(0)) return;
            const Size block = item.begin / parts;
            const Size part = item.begin % parts;
            convolve_block(team, work, block / cells.n_blocks(), block % cells.n_blocks(),
                           Range{split.count() * part / parts, split.count() * (part + 1) / parts}, own);
        });
    });
}

template void convolve(const Filters<float>&, const Images&, const Pool&, float*, int, Workspace&);
template void convolve(const Filters<double>&, const Images&, const Pool&, double*, int, Workspace&);

}  // namespace sae_fast
