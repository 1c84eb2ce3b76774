// How the rows of a matrix are cut into tasks of similar cost. The cut depends on the matrix alone, never on the number
// of threads, so neither do the sums.
#pragma once

#include <vector>

#include "types.hpp"

namespace kantor {

// A row costs as much as this many nonzeros: 68 bytes of vectors against 12.
constexpr Offset kRowCost = 6;

struct PlanLimits {
  Offset task_cost = 16384;  // nonzeros and rows of one task fit the second-level cache
  Offset task_rows = 1024;   // its row sums wait in a buffer in the first-level cache
  Offset giant_row = 65536;  // rows from here on are cut into parts, ...
};
constexpr Offset kGiantPart = 16384;  // ... which are added in fixed order by whoever finishes the last of them

struct RowTask {
  Offset row_begin;
  Offset row_end;      // row_begin + 1 for a part of a giant row
  int32_t giant = -1;  // index into RowPlan::giants, or -1 for whole rows
  int32_t part = 0;
};

struct GiantRow {
  Offset row;
  Offset parts;
  Offset first_partial;  // place of its first part among all partial sums
};

struct RowPlan {
  std::vector<RowTask> tasks;
  std::vector<GiantRow> giants;
  Offset partials = 0;   // parts of all giant rows together
  Offset task_rows = 0;  // rows of the longest task
};

// Cuts the rows of a CSR matrix; row_ptr has rows + 1 entries. O(rows).
RowPlan plan_rows(const Offset* row_ptr, Offset rows, const PlanLimits& limits);

}  // namespace kantor
