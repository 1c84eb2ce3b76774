#include "row_plan.hpp"

#include <algorithm>

namespace kantor {

void append_parts(Offset begin, Offset end, std::vector<GiantPart>& parts) {
  for (Offset at = begin; at < end; at += kGiantPart) parts.push_back(GiantPart{at, std::min(at + kGiantPart, end)});
}

RowPlan plan_rows(const Offset* row_ptr, Offset rows) {
  RowPlan plan;
  Offset begin = 0, cost = 0;
  auto close = [&](Offset end) {
    if (end > begin) plan.tasks.push_back(RowTask{begin, end, 0, 0});
    begin = end;
    cost = 0;
  };
  for (Offset row = 0; row < rows; ++row) {
    const Offset length = row_ptr[row + 1] - row_ptr[row];
    if (length >= kGiantRow) {
      close(row);
      const Offset first = static_cast<Offset>(plan.parts.size());
      append_parts(row_ptr[row], row_ptr[row + 1], plan.parts);
      plan.tasks.push_back(RowTask{row, row + 1, first, static_cast<Offset>(plan.parts.size()) - first});
      begin = row + 1;
      continue;
    }
    if (cost > 0 && (cost + length + kRowCost > kTaskCost || row - begin == kTaskRows)) close(row);
    cost += length + kRowCost;
  }
  close(rows);
  return plan;
}

}  // namespace kantor
