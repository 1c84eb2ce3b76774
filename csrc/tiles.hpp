// A second layout of a matrix, for products that are repeated many times.
//
// In CSR every nonzero fetches one element of x from anywhere: when x outgrows the second-level cache this traffic, a
// cache line for 8 bytes, costs more than the matrix itself. Here the entries of a block of rows are sorted by cache
// line of x instead, so x is swept once a block while the block's row sums stay in cache. Row and column of an entry
// take 16 bits each, relative to the block and to a window of columns: 12 bytes a nonzero, as in CSR. (After the
// compressed sparse blocks of Buluc et al., SPAA 2009; blocks of rows only, since the transpose is stored too.)
#pragma once

#include "buffer.hpp"
#include "row_plan.hpp"
#include "types.hpp"

namespace kantor {

constexpr int kWindowBits = 16;
constexpr Offset kWindow = Offset{1} << kWindowBits;  // columns
constexpr Offset kLine = 8;                           // elements of x in a cache line

struct Tiles {
  RowPlan plan;  // blocks of at most 65,536 rows; giant rows stay in CSR
  Offset windows = 0;
  Buffer<Offset> start;    // (tasks * windows + 1) first entry of each task and window
  Buffer<uint32_t> place;  // (entries) row << 16 | column, relative to task and window
  Buffer<double> values;   // (entries)
};

// Whether tiles pay for this matrix: x outgrows the cache, and a block has enough entries to share the lines of x.
bool worth_tiling(const CsrView<double>& A);

// Sorts the entries of A into tiles, O(nnz); the order of additions depends on A alone.
Tiles make_tiles(const CsrView<double>& A);

}  // namespace kantor
