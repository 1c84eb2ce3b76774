// A second layout of a matrix, for products that are repeated many times.
//
// In CSR every nonzero fetches one element of x from anywhere: when x outgrows the second-level cache this traffic, a
// cache line for 8 bytes, costs more than the matrix itself. Here rows are gathered in blocks whose sums stay in cache,
// and the entries of a block are sorted by cache line of x, so that a block sweeps x once. Row and column of an entry
// take 16 bits each, relative to the block and to a window of columns: 4 bytes and the value a nonzero, as in CSR.
// Giant rows stay in CSR.
//
// (Blocks with short local indices: Buluc, Fineman, Frigo, Gilbert, Leiserson, SPAA 2009. Here of rows only, since the
// transpose is stored too.)
#pragma once

#include <vector>

#include "buffer.hpp"
#include "row_plan.hpp"
#include "types.hpp"

namespace kantor {

constexpr int kWindowBits = 16;
constexpr Offset kWindow = Offset{1} << kWindowBits;  // columns
constexpr Offset kLine = 8;                           // elements of x in a cache line

// Rows [row_begin, row_end); those among them that are giants are giants [giant_begin, giant_end).
struct RowBlock {
  Offset row_begin;
  Offset row_end;
  Offset giant_begin;
  Offset giant_end;
};

struct GiantRow {
  Offset row;
  Offset first_part;
  Offset parts;
};

template <typename Value>
struct Tiles {
  Offset windows = 0;
  Offset block_rows = 0;         // rows of every block but the last, at most 65,536
  std::vector<RowBlock> blocks;  // every row once, in order
  std::vector<GiantRow> giants;  // rising
  std::vector<GiantPart> parts;
  Buffer<Offset> start;    // (blocks * windows + 1) first entry of each block and window, and the number of entries
  Buffer<uint32_t> place;  // (entries) row << 16 | column, relative to block and window
  Buffer<Value> values;    // (entries)
};

// Rows a block should have so that its entries share the cache lines of x, or 0 if tiles do not pay for this matrix.
template <typename Value>
Offset tile_rows(const CsrView<Value>& A);

// Sorts the entries of A into tiles of block_rows rows, O(nnz); the order of additions depends on A and block_rows
// alone.
template <typename Value>
Tiles<Value> make_tiles(const CsrView<Value>& A, Offset block_rows);

}  // namespace kantor
