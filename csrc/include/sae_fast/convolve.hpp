// Learned filters over whole images, and pooling (UFLDL, "Feature extraction using convolution" and "Pooling").
//
// The code of a patch is that of layer_forward, to the last bit: W1's columns are the patch row by row, pixel by pixel,
// channel by channel. Filters are slid, not flipped, over the positions where a whole patch lies in the image. The map
// of codes is cut into cells of pool_rows x pool_columns that do not overlap; positions beyond the last whole cell are
// left out, and not computed. Patches are read where they lie, and codes pooled strip by strip: there is never an
// array of patches or of unpooled codes.
#pragma once

#include "sae_fast/types.hpp"
#include "sae_fast/workspace.hpp"

namespace sae_fast {

/// Images as the caller has them: any type, any strides (in bytes, also negative or zero).
struct Images {
    const void* data = nullptr;
    DType dtype = DType::float64;
    Size n_images = 0, n_rows = 0, n_columns = 0, n_channels = 1;
    Size image_stride = 0, row_stride = 0, column_stride = 0, channel_stride = 0;
};

/// W1: (n_hidden, patch_rows * patch_columns * n_channels), b1: (n_hidden,), both contiguous.
template <class T>
struct Filters {
    const T* W1 = nullptr;
    const T* b1 = nullptr;
    Size n_hidden = 0;
    Size patch_rows = 1, patch_columns = 1;
    Unit hidden = Unit::sigmoid;
};

/// Means are summed in double, a cell's positions in the order of its rows. A NaN in a cell gives NaN.
struct Pool {
    Pooling pooling = Pooling::mean;
    Size rows = 1, columns = 1;
};

/// Cells along a side of n pixels; 0 where no cell fits.
constexpr Size pooled(Size n, Size patch, Size pool) noexcept { return n < patch ? 0 : (n - patch + 1) / pool; }

/// out (n_images, pooled rows, pooled columns, n_hidden), contiguous; there is at least one of each. n_threads 0: the
/// default. Throws std::bad_alloc. An image's result does not depend on the other images.
template <class T>
void convolve(const Filters<T>& filters, const Images& images, const Pool& pool, T* out, int n_threads,
              Workspace& workspace);

}  // namespace sae_fast
