// Which threads add up which row. Rows differ in length by a factor of a million in an economy (energy goes
// everywhere), so each row goes, by its number of nonzeros, to one of four buckets:
//
//   short    <= limits.thread   one thread a row and column
//   medium   <= limits.warp     one warp a row
//   long     <= limits.block    one block a row
//   giant                       one block for every limits.segment nonzeros; the partial sums are added in a second
//                               launch, in a fixed order and without atomics
//
// One launch serves all four: the blocks are numbered giant, long, medium, short, so that heavy work starts first.
// Inside a bucket the rows keep their order, because neighbouring rows read neighbouring data.
#pragma once

#include "block.hpp"

#if !defined(__CUDACC_RTC__)
#include <vector>
#endif

namespace kantor::cuda {

enum Bucket : int { kGiant = 0, kLong = 1, kMedium = 2, kShort = 3, kBuckets = 4 };

struct BucketLimits {
  Offset thread = 16;
  Offset warp = 1024;
  Offset block = 65536;
  Offset segment = 16384;
};

KANTOR_HD inline Bucket bucket_of(Offset length, const BucketLimits& limits) {
  if (length <= limits.thread) return kShort;
  if (length <= limits.warp) return kMedium;
  return length <= limits.block ? kLong : kGiant;
}

KANTOR_HD inline Offset ceil_divide(Offset a, Offset b) { return (a + b - 1) / b; }

// The buckets of one matrix; the memory belongs to somebody else. Only 8-byte members: Python packs it too.
struct RowBuckets {
  Offset first[kBuckets + 1] = {};       // the rows of bucket b are number first[b] .. first[b + 1) of `order`
  const Index* order = nullptr;          // (rows); null when one bucket holds every row: number i is row i
  const Offset* giant_first = nullptr;   // (giants + 1): segments before giant g
  const Index* segment_owner = nullptr;  // (segments): the giant that a segment is part of
  Offset segment_length = 1;

  KANTOR_HD Offset size(int bucket) const { return first[bucket + 1] - first[bucket]; }
  KANTOR_HD Offset row(Offset number) const { return order == nullptr ? number : order[number]; }
};

// ---- blocks and tiles ----------------------------------------------------------------------------------------------

// The number of columns one block serves: the power of two at or above k, at most 32. A block's threads are
// (256 / columns) slots over nonzeros or rows, times the columns, so that neighbouring threads read neighbouring
// values.
KANTOR_HD inline int tile_columns(Offset k) {
  int columns = 1;
  while (columns < k && columns < kMostColumns) columns *= 2;
  return columns;
}

// What one block takes of a bucket: a segment, a row, a row for each warp, or a row for each thread and column.
KANTOR_HD inline Offset items_per_block(int bucket, int columns) {
  if (bucket == kMedium) return kBlockWarps;
  return bucket == kShort ? kBlockThreads / columns : 1;
}

// `segments` is giant_first[size(kGiant)], kept by the caller because that array may be on the device.
KANTOR_HD inline Offset bucket_blocks(const RowBuckets& rows, Offset segments, int bucket, int columns) {
  return ceil_divide(bucket == kGiant ? segments : rows.size(bucket), items_per_block(bucket, columns));
}

// Blocks of the launch; at least one, because block 0 also advances the iteration counter.
KANTOR_HD inline Offset product_blocks(const RowBuckets& rows, Offset segments, int columns) {
  Offset blocks = 0;
  for (int bucket = 0; bucket < kBuckets; ++bucket) blocks += bucket_blocks(rows, segments, bucket, columns);
  return blocks > 0 ? blocks : 1;
}

// The work of one block: items [item, item + items_per_block) of a bucket, as far as they exist.
struct Tile {
  int bucket;
  Offset item;
};

KANTOR_HD inline Tile tile_of(const RowBuckets& rows, Offset segments, int columns, Offset block) {
  for (int bucket = 0; bucket < kBuckets - 1; ++bucket) {
    const Offset blocks = bucket_blocks(rows, segments, bucket, columns);
    if (block < blocks) return Tile{bucket, block * items_per_block(bucket, columns)};
    block -= blocks;
  }
  return Tile{kShort, block * items_per_block(kShort, columns)};
}

// The nonzeros [begin, end) of one segment of a giant row.
struct Segment {
  Offset row;
  Offset begin;
  Offset end;
};

KANTOR_HD inline Segment segment_of(const RowBuckets& rows, const Offset* row_ptr, Offset segment) {
  const Offset giant = rows.segment_owner[segment];
  const Offset row = rows.row(rows.first[kGiant] + giant);
  const Offset begin = row_ptr[row] + (segment - rows.giant_first[giant]) * rows.segment_length;
  const Offset end = begin + rows.segment_length;
  return Segment{row, begin, end < row_ptr[row + 1] ? end : row_ptr[row + 1]};
}

// ---- building, on the host -----------------------------------------------------------------------------------------

#if !defined(__CUDACC_RTC__)

struct BuiltBuckets {
  RowBuckets view;  // its pointers are null: fill them with where the vectors were put
  std::vector<Index> order;
  std::vector<Offset> giant_first;
  std::vector<Index> segment_owner;

  Offset segments() const { return giant_first.back(); }

  RowBuckets on_host() const {
    RowBuckets rows = view;
    rows.order = order.empty() ? nullptr : order.data();
    rows.giant_first = giant_first.data();
    rows.segment_owner = segment_owner.data();
    return rows;
  }
};

// Two passes over row_ptr (rows + 1): count, then place.
inline BuiltBuckets build_buckets(const Offset* row_ptr, Offset rows, const BucketLimits& limits = {}) {
  BuiltBuckets built;
  Offset* first = built.view.first;
  for (Offset i = 0; i < rows; ++i) ++first[bucket_of(row_ptr[i + 1] - row_ptr[i], limits) + 1];
  bool single = false;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    single = single || first[bucket + 1] == rows;
    first[bucket + 1] += first[bucket];
  }
  built.view.segment_length = limits.segment;
  built.giant_first.push_back(0);
  if (!single) built.order.resize(static_cast<size_t>(rows));
  Offset next[kBuckets] = {first[0], first[1], first[2], first[3]};
  for (Offset i = 0; i < rows; ++i) {
    const Offset length = row_ptr[i + 1] - row_ptr[i];
    const Bucket bucket = bucket_of(length, limits);
    const Offset number = next[bucket]++;
    if (!single) built.order[static_cast<size_t>(number)] = static_cast<Index>(i);
    if (bucket != kGiant) continue;
    const Offset segments = ceil_divide(length, limits.segment);
    built.giant_first.push_back(built.segments() + segments);
    built.segment_owner.insert(built.segment_owner.end(), static_cast<size_t>(segments), static_cast<Index>(number));
  }
  return built;
}

#endif

}  // namespace kantor::cuda
