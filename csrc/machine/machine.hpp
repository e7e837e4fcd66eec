// Sizes that are cut to the machine. None is exact: each stands where a wide minimum was measured.
#pragma once

#include "sae_fast/types.hpp"

namespace sae_fast {

/// Rows that a product takes through a layer, and that are summed together: a strip of float32 with 784 features is
/// 200 KB, so that its panels stay in the second-level cache from product to product.
constexpr Size kStrip = 64;

/// Bytes that are to stay in the second-level cache of one processor: half of it, since what is streamed passes through
/// it too, but of 512 KB and less all, for panels of three vectors and a strip of samples have to find room in any
/// case. Where the machine does not tell its size, kCache. SAE_FAST_L2, in bytes, stands for that size. Only the order
/// of pieces of work, and what is asked for in advance, may depend on this: never a sum.
Size near_cache() noexcept;

/// The same where a way of computing is chosen by it, and bits with it: they must not depend on the machine.
constexpr Size kCache = Size(1) << 19;

/// Columns of a left operand after which a tile of a product stores its sums, to go on from there with the next part.
/// The panel of the right operand is then 832 x 3 vectors, 156 KB with AVX-512, and comes from the second-level cache
/// for one tile after another. Shorter parts store and load the sums more often, but that is little: 256 in its place
/// was as fast, within noise (AVX2 on Zen 3). 832 takes the 784 pixels of a 28 x 28 image in one part.
constexpr Size kPartColumns = 832;

/// Bytes of all matrices of a block: what several cores share of the third-level cache.
constexpr Size kBlockBytes = Size(3) << 19;

/// Rows of the shortest block: fewer would add to gradients more often than their multiply-adds are worth.
constexpr Size kBlockRows = 256;

/// Bytes of all weight gradients up to which each chunk of samples sums its own. Beyond, the sums of all chunks would
/// push the samples out of cache.
constexpr Size kSmallGradient = Size(1) << 18;

/// Bytes of them from which on blocks are twice as long, to add to gradients in main memory less often.
constexpr Size kHugeGradient = Size(1) << 24;

/// Tiles of a gradient side by side that are finished together where one block is all there is. Their sums are in
/// cache, but the weights and the gradient are not: a row of a tile is 96 bytes with AVX2, a line and a half, in
/// another page than the next one. Of 256 x 784 -> 200 in float64 a third of what finishing costs went (gradients 1.40
/// to 1.30 of their limit); 8 were no better.
constexpr Size kTilesTogether = 4;

/// Chunks at most: 24 has many divisors, for many teams. Chunks in place of blocks that all threads share took 3 % less
/// time where the cores were near each other, and 30 % less where they were not.
constexpr Size kChunks = 24;

}  // namespace sae_fast
