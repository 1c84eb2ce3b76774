#include "tiles.hpp"

#include <algorithm>

#include "parallel.hpp"

namespace kantor {
namespace {

// A vector of this many doubles shares a second-level cache of 512 KiB with the streams; a longer x does not stay
// there.
constexpr Offset kCachedVector = 32768;
// A vector of this many doubles shares a third-level cache; beyond it a line of x comes from memory.
constexpr Offset kSharedVector = Offset{1} << 21;
constexpr Offset kLeastRows = 4096;
constexpr Offset kMostRows = 65536;
constexpr Offset kLeastBlocks = 16;  // else threads run out of work
constexpr Offset kSamples = 8;

// Entries of x's cache lines over entries of A, in a few blocks of so many rows: what a sweep of x costs an entry.
template <typename Value>
double lines_per_entry(const CsrView<Value>& A, Offset block_rows) {
  const Offset blocks = (A.rows + block_rows - 1) / block_rows, samples = std::min(blocks, kSamples);
  std::vector<Offset> lines(static_cast<size_t>(samples)), entries(static_cast<size_t>(samples));
  const auto count = [&](Offset sample, std::vector<bool>& seen) {
    const Offset row = blocks * sample / samples * block_rows;
    const Offset begin = A.row_ptr[row], end = A.row_ptr[std::min(row + block_rows, A.rows)];
    Offset distinct = 0;
    for (Offset i = begin; i < end; ++i) {
      const size_t line = static_cast<size_t>(A.col_idx[i] / kLine);
      if (seen[line]) continue;
      seen[line] = true;
      ++distinct;
    }
    std::fill(seen.begin(), seen.end(), false);
    lines[static_cast<size_t>(sample)] = distinct;
    entries[static_cast<size_t>(sample)] = end - begin;
  };
  const int threads = threads_for(A.nnz());
  std::vector<std::vector<bool>> seen(static_cast<size_t>(threads),
                                      std::vector<bool>(static_cast<size_t>(A.cols / kLine + 1)));
  Dispenser dispenser(samples, threads);
  parallel_region(threads, [&](Team& team) {
    dispenser.run(team, 0, [&](Offset sample) { count(sample, seen[static_cast<size_t>(team.rank())]); });
  });
  Offset all_lines = 0, all_entries = 1;
  for (size_t s = 0; s < lines.size(); ++s) {
    all_lines += lines[s];
    all_entries += entries[s];
  }
  return static_cast<double>(all_lines) / static_cast<double>(all_entries);
}

// Rows that would be added to by every few entries of their block, each waiting for the one before, are left out.
template <typename Value>
Offset giant_length(const CsrView<Value>& A, Offset block_rows) {
  return std::max(kGiantRow, block_rows * (A.nnz() / A.rows + 1) / 8);
}

template <typename Value>
void cut(const CsrView<Value>& A, Offset giant_from, Tiles<Value>& tiles) {
  for (Offset begin = 0; begin < A.rows; begin += tiles.block_rows) {
    const Offset end = std::min(begin + tiles.block_rows, A.rows);
    const Offset giant_begin = static_cast<Offset>(tiles.giants.size());
    for (Offset row = begin; row < end; ++row) {
      if (A.row_ptr[row + 1] - A.row_ptr[row] < giant_from) continue;
      const Offset first = static_cast<Offset>(tiles.parts.size());
      append_parts(A.row_ptr[row], A.row_ptr[row + 1], tiles.parts);
      tiles.giants.push_back(GiantRow{row, first, static_cast<Offset>(tiles.parts.size()) - first});
    }
    tiles.blocks.push_back(RowBlock{begin, end, giant_begin, static_cast<Offset>(tiles.giants.size())});
  }
}

template <typename Value>
Offset entries_of(const CsrView<Value>& A, const Tiles<Value>& tiles, const RowBlock& block) {
  Offset entries = A.row_ptr[block.row_end] - A.row_ptr[block.row_begin];
  for (Offset g = block.giant_begin; g < block.giant_end; ++g) {
    const Offset row = tiles.giants[static_cast<size_t>(g)].row;
    entries -= A.row_ptr[row + 1] - A.row_ptr[row];
  }
  return entries;
}

// Counting sort of one block by cache line of x; within a line the entries keep the order of the rows. `first` is the
// place of its first entry, `line` holds a counter for each cache line.
template <typename Value>
void sort_block(const CsrView<Value>& A, Tiles<Value>& tiles, Offset b, Offset first, Offset giant_from,
                std::vector<Offset>& line) {
  const RowBlock& block = tiles.blocks[static_cast<size_t>(b)];
  const auto each_row = [&](auto visit) {
    for (Offset row = block.row_begin; row < block.row_end; ++row)
      if (A.row_ptr[row + 1] - A.row_ptr[row] < giant_from) visit(row, A.row_ptr[row], A.row_ptr[row + 1]);
  };
  const auto counter = [&](Offset i) -> Offset& { return line[static_cast<size_t>(A.col_idx[i] / kLine)]; };
  std::fill(line.begin(), line.end(), 0);
  each_row([&](Offset, Offset begin, Offset end) {
    for (Offset i = begin; i < end; ++i) ++counter(i);
  });
  for (Offset& place : line) {
    const Offset entries = place;
    place = first;
    first += entries;
  }
  for (Offset w = 0; w < tiles.windows; ++w)
    tiles.start[b * tiles.windows + w] = line[static_cast<size_t>(w * kWindow / kLine)];
  each_row([&](Offset row, Offset begin, Offset end) {
    const uint32_t local = static_cast<uint32_t>(row - block.row_begin) << kWindowBits;
    for (Offset i = begin; i < end; ++i) {
      const Offset to = counter(i)++;
      tiles.place[to] = local | static_cast<uint32_t>(A.col_idx[i] & (kWindow - 1));
      tiles.values[to] = A.values[i];
    }
  });
}

}  // namespace

template <typename Value>
Offset tile_rows(const CsrView<Value>& A) {
  if (A.rows < kLeastRows * kLeastBlocks || A.cols < 2 * kCachedVector || A.nnz() < 4 * A.rows) return 0;
  const double enough = A.cols <= kSharedVector ? 0.25 : 0.15;
  const Offset most = std::min(kMostRows, A.rows / kLeastBlocks);
  double lines = 1.0;
  for (Offset rows = kLeastRows; rows <= most; rows = std::min(2 * rows, most)) {
    lines = lines_per_entry(A, rows);
    if (lines <= enough) return rows;
    if (rows == most) break;
  }
  return lines <= 0.5 ? most : 0;
}

template <typename Value>
Tiles<Value> make_tiles(const CsrView<Value>& A, Offset block_rows) {
  Tiles<Value> tiles;
  tiles.windows = (A.cols + kWindow - 1) / kWindow;
  tiles.block_rows = block_rows;
  const Offset giant_from = giant_length(A, block_rows);
  cut(A, giant_from, tiles);
  const Offset blocks = static_cast<Offset>(tiles.blocks.size());
  std::vector<Offset> first(1, 0);
  for (const RowBlock& block : tiles.blocks) first.push_back(first.back() + entries_of(A, tiles, block));
  tiles.start = Buffer<Offset>(blocks * tiles.windows + 1);
  tiles.start[blocks * tiles.windows] = first.back();
  tiles.place = Buffer<uint32_t>(first.back());
  tiles.values = Buffer<Value>(first.back());

  const int threads = threads_for(A.nnz());
  std::vector<std::vector<Offset>> lines(static_cast<size_t>(threads),
                                         std::vector<Offset>(static_cast<size_t>(A.cols / kLine + 1)));
  Dispenser dispenser(blocks, threads);
  parallel_region(threads, [&](Team& team) {
    dispenser.run(team, 0, [&](Offset b) {
      sort_block(A, tiles, b, first[static_cast<size_t>(b)], giant_from, lines[static_cast<size_t>(team.rank())]);
    });
  });
  return tiles;
}

template Offset tile_rows(const CsrView<double>& A);
template Offset tile_rows(const CsrView<float>& A);
template Tiles<double> make_tiles(const CsrView<double>& A, Offset block_rows);
template Tiles<float> make_tiles(const CsrView<float>& A, Offset block_rows);

}  // namespace kantor
