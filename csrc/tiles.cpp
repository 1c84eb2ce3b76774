#include "tiles.hpp"

#include <algorithm>

#include "parallel.hpp"

namespace kantor {
namespace {

constexpr Offset kCacheElements = 32768;  // doubles in half a megabyte of second-level cache, with room for the streams
constexpr Offset kLeastRows = 2048;
constexpr Offset kLeastTasks = 48;  // else threads run out of work

// Rows a block needs for two entries in every cache line of x, on average: then x is swept at 32 bytes an entry or
// less.
Offset wanted_rows(const CsrView<double>& A) {
  const double per_row = static_cast<double>(A.nnz()) / static_cast<double>(A.rows);
  return static_cast<Offset>(2.0 * static_cast<double>(A.cols / kLine) / per_row);
}

}  // namespace

bool worth_tiling(const CsrView<double>& A) {
  if (A.rows < kLeastRows * kLeastTasks || A.cols < 2 * kCacheElements || A.nnz() < 4 * A.rows) return false;
  return wanted_rows(A) <= 4 * kCacheElements;
}

Tiles make_tiles(const CsrView<double>& A) {
  Tiles tiles;
  const Offset most = std::min(kCacheElements, std::max(kLeastRows, A.rows / kLeastTasks));
  PlanLimits limits;
  limits.task_rows = std::min(std::max(wanted_rows(A), kLeastRows), most);
  const Offset mean_cost = limits.task_rows * (A.nnz() / std::max<Offset>(1, A.rows) + kRowCost + 1);
  limits.task_cost = 2 * mean_cost;
  // A longer row would be added to by every few entries, each waiting for the one before.
  limits.giant_row = std::max(limits.giant_row, mean_cost / 8);
  tiles.plan = plan_rows(A.row_ptr, A.rows, limits);

  const std::vector<RowTask>& tasks = tiles.plan.tasks;
  const Offset count = static_cast<Offset>(tasks.size());
  tiles.windows = (A.cols + kWindow - 1) / kWindow;
  tiles.start = Buffer<Offset>(count * tiles.windows + 1);
  std::vector<Offset> first(tasks.size() + 1, 0);
  for (size_t t = 0; t < tasks.size(); ++t) {
    const RowTask& task = tasks[t];
    first[t + 1] = first[t] + (task.giant >= 0 ? 0 : A.row_ptr[task.row_end] - A.row_ptr[task.row_begin]);
  }
  tiles.start[count * tiles.windows] = first.back();
  tiles.place = Buffer<uint32_t>(first.back());
  tiles.values = Buffer<double>(first.back());

  const int threads = threads_for(A.nnz());
  const Offset lines = A.cols / kLine + 2;
  std::vector<std::vector<Offset>> next(static_cast<size_t>(threads));  // counting sort of a block by line of x
  for (std::vector<Offset>& counters : next) counters.resize(static_cast<size_t>(lines));
  Dispenser dispenser(count, threads);
  parallel_region(threads, [&](Team& team) {
    Offset* line = next[static_cast<size_t>(team.rank())].data();
    dispenser.run(team, 0, [&](Offset t) {
      const RowTask& task = tasks[static_cast<size_t>(t)];
      Offset* start = tiles.start.data() + t * tiles.windows;
      if (task.giant >= 0) {
        std::fill(start, start + tiles.windows, first[static_cast<size_t>(t)]);
        return;
      }
      std::fill(line, line + lines, 0);
      for (Offset i = A.row_ptr[task.row_begin]; i < A.row_ptr[task.row_end]; ++i) ++line[A.col_idx[i] / kLine + 1];
      line[0] = first[static_cast<size_t>(t)];
      for (Offset l = 1; l < lines; ++l) line[l] += line[l - 1];
      for (Offset w = 0; w < tiles.windows; ++w) start[w] = line[w * kWindow / kLine];
      for (Offset row = task.row_begin; row < task.row_end; ++row) {
        const uint32_t place = static_cast<uint32_t>(row - task.row_begin) << kWindowBits;
        for (Offset i = A.row_ptr[row]; i < A.row_ptr[row + 1]; ++i) {
          const Offset to = line[A.col_idx[i] / kLine]++;
          tiles.place[to] = place | static_cast<uint32_t>(A.col_idx[i] & (kWindow - 1));
          tiles.values[to] = A.values[i];
        }
      }
    });
  });
  return tiles;
}

}  // namespace kantor
