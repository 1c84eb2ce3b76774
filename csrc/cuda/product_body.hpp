// The product of a sparse matrix with k columns, x row-major (n, k), followed by whatever is to be done with each sum:
// store it, or take a step of PDHG with it. Two bodies: every block of the first launch adds up its tile; the second
// launch, one block a giant row, adds the partial sums of giant rows.
//
// An End says what is done with the sums:
//   ready()                   loads what is the same for all rows (step sizes) and returns the function below
//   (row, column, sum)        takes one finished sum
//   advance()                 called by one thread of the first launch only, for counters that nobody in it reads
#pragma once

#include "row_buckets.hpp"

namespace kantor::cuda {

// A matrix with its buckets, in one memory. Only 8-byte members: Python packs it too. Value is double or float; a value
// is widened before it is multiplied, and x and the sums are double.
template <class Value>
struct BucketedCsr {
  CsrView<Value> matrix;
  RowBuckets rows;
  Offset segments = 0;
};

// What one slot adds up of a row of one column: every slots-th nonzero from begin + slot, in rising order.
template <class Value>
KANTOR_TEAM double slot_share(const CsrView<Value>& A, const double* x, Offset k, Offset column, Offset begin,
                              Offset end, int slot, int slots) {
  double sum = 0.0;
  KANTOR_UNROLL
  for (Offset p = begin + slot; p < end; p += slots) {
    sum = fused(A.values[p], x[static_cast<Offset>(A.col_idx[p]) * k + column], sum);
  }
  return sum;
}

template <int Columns, class Value, class End>
struct ProductBody {
  BucketedCsr<Value> A;
  const double* x;
  Offset k;
  double* partials;  // (segments, k)
  End end;

  template <class Block>
  KANTOR_TEAM void operator()(Block& block) const {
    const Tile tile = tile_of(A.rows, A.segments, Columns, block.x());
    const Offset column0 = block.y() * Columns;
    if (tile.bucket == kShort) {
      short_rows(block, tile.item, column0);
    } else if (tile.bucket == kMedium) {
      medium_rows(block, tile.item, column0);
    } else if (tile.bucket == kLong) {
      long_row(block, tile.item, column0);
    } else {
      segment(block, tile.item, column0);
    }
    if (block.x() == 0 && block.y() == 0) {
      block.each([&](int thread) {
        if (thread == 0) end.advance();
      });
    }
  }

 private:
  template <class Block>
  KANTOR_TEAM void short_rows(Block& block, Offset item, Offset column0) const {
    const auto finish = end.ready();
    block.each([&](int thread) {
      const Offset number = item + thread / Columns;
      const Offset column = column0 + thread % Columns;
      if (number >= A.rows.size(kShort) || column >= k) return;
      const Offset row = A.rows.row(A.rows.first[kShort] + number);
      const Offset* at = A.matrix.row_ptr + row;
      finish(row, column, slot_share(A.matrix, x, k, column, at[0], at[1], 0, 1));
    });
  }

  template <class Block>
  KANTOR_TEAM void medium_rows(Block& block, Offset item, Offset column0) const {
    constexpr int kSlots = kWarpLanes / Columns;
    const auto finish = end.ready();
    block.template by_warp<Sum, Columns>(
        [&](int thread) {
          const Offset number = item + thread / kWarpLanes;
          const Offset column = column0 + thread % Columns;
          if (number >= A.rows.size(kMedium) || column >= k) return 0.0;
          const Offset* at = A.matrix.row_ptr + A.rows.row(A.rows.first[kMedium] + number);
          const int slot = thread % kWarpLanes / Columns;
          return slot_share(A.matrix, x, k, column, at[0], at[1], slot, kSlots);
        },
        [&](int thread, double sum) {
          const Offset number = item + thread / kWarpLanes;
          const Offset column = column0 + thread % Columns;
          if (number >= A.rows.size(kMedium) || column >= k) return;
          finish(A.rows.row(A.rows.first[kMedium] + number), column, sum);
        });
  }

  template <class Block>
  KANTOR_TEAM void long_row(Block& block, Offset item, Offset column0) const {
    const auto finish = end.ready();
    const Offset row = A.rows.row(A.rows.first[kLong] + item);
    add_range(block, column0, A.matrix.row_ptr[row], A.matrix.row_ptr[row + 1],
              [&](Offset column, double sum) { finish(row, column, sum); });
  }

  template <class Block>
  KANTOR_TEAM void segment(Block& block, Offset item, Offset column0) const {
    const Segment part = segment_of(A.rows, A.matrix.row_ptr, item);
    add_range(block, column0, part.begin, part.end,
              [&](Offset column, double sum) { partials[item * k + column] = sum; });
  }

  // The whole block adds the nonzeros [begin, stop).
  template <class Block, class Use>
  KANTOR_TEAM void add_range(Block& block, Offset column0, Offset begin, Offset stop, Use use) const {
    constexpr int kSlots = kBlockThreads / Columns;
    block.template by_block<Sum, Columns>(
        [&](int thread) {
          const Offset column = column0 + thread % Columns;
          if (column >= k) return 0.0;
          return slot_share(A.matrix, x, k, column, begin, stop, thread / Columns, kSlots);
        },
        [&](int thread, double sum) {
          if (column0 + thread < k) use(column0 + thread, sum);
        });
  }
};

// Second stage: block g adds the partial sums of giant row g.
template <int Columns, class End>
struct GiantBody {
  RowBuckets rows;
  Offset k;
  const double* partials;
  End end;

  template <class Block>
  KANTOR_TEAM void operator()(Block& block) const {
    constexpr int kSlots = kBlockThreads / Columns;
    const Offset giant = block.x();
    const Offset column0 = block.y() * Columns;
    const Offset row = rows.row(rows.first[kGiant] + giant);
    const Offset begin = rows.giant_first[giant], stop = rows.giant_first[giant + 1];
    const auto finish = end.ready();
    block.template by_block<Sum, Columns>(
        [&](int thread) {
          const Offset column = column0 + thread % Columns;
          double sum = 0.0;
          if (column >= k) return sum;
          for (Offset s = begin + thread / Columns; s < stop; s += kSlots) sum += partials[s * k + column];
          return sum;
        },
        [&](int thread, double sum) {
          if (column0 + thread < k) finish(row, column0 + thread, sum);
        });
  }
};

// out <- A x.
struct StoreSum {
  double* out;
  Offset k;

  KANTOR_TEAM StoreSum ready() const { return *this; }
  KANTOR_TEAM void operator()(Offset row, Offset column, double sum) const { out[row * k + column] = sum; }
  KANTOR_TEAM void advance() const {}
};

}  // namespace kantor::cuda
