// How the rows of a matrix are cut into tasks of similar cost. The cut depends on the matrix alone, never on the number
// of threads, so neither do the sums.
#pragma once

#include <vector>

#include "types.hpp"

namespace kantor {

constexpr Offset kTaskCost = 16384;   // nonzeros of one task: its part of the matrix fits the second-level cache
constexpr Offset kRowCost = 6;        // a row costs as much as this many nonzeros: 68 bytes of vectors against 12
constexpr Offset kTaskRows = 1024;    // the row sums of a task wait in the first-level cache
constexpr Offset kGiantRow = 65536;   // rows from here on are cut into parts,
constexpr Offset kGiantPart = 16384;  // summed one by one and then added in fixed order

struct RowTask {
  Offset row_begin;
  Offset row_end;
  Offset first_part = 0;  // of a giant row, alone in its task
  Offset parts = 0;       // 0: ordinary rows
};

// Nonzeros [begin, end) of a giant row.
struct GiantPart {
  Offset begin;
  Offset end;
};

struct RowPlan {
  std::vector<RowTask> tasks;  // every row once, in order
  std::vector<GiantPart> parts;
};

// Appends the parts of a giant row that holds nonzeros [begin, end).
void append_parts(Offset begin, Offset end, std::vector<GiantPart>& parts);

// Cuts the rows of a CSR matrix; row_ptr has rows + 1 entries. O(rows).
RowPlan plan_rows(const Offset* row_ptr, Offset rows);

}  // namespace kantor
