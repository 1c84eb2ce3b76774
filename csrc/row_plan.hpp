// How the rows of a matrix are cut into tasks of similar cost. The cut depends on the matrix alone, never on the number
// of threads, so neither do the sums.
#pragma once

#include <vector>

#include "types.hpp"

namespace kantor {

// One task holds whole rows whose nonzeros and vector entries together fit the second-level cache, ...
constexpr Offset kTaskCost = 16384;  // in nonzeros; a row itself costs kRowCost of them
constexpr Offset kRowCost = 6;       // 68 bytes of vectors a row against 12 a nonzero
constexpr Offset kTaskRows = 1024;   // row sums of a task wait in a buffer on the stack
// ... or one part of a giant row. The parts are added in fixed order by whoever finishes the last of them.
constexpr Offset kGiantRow = 65536;
constexpr Offset kGiantPart = 16384;

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
  Offset partials = 0;  // parts of all giant rows together
};

// Cuts the rows of a CSR matrix; row_ptr has rows + 1 entries. O(rows).
RowPlan plan_rows(const Offset* row_ptr, Offset rows);

}  // namespace kantor
