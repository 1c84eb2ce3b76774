#include "row_plan.hpp"

#include <algorithm>

#include "error.hpp"

namespace kantor {

RowPlan plan_rows(const Offset* row_ptr, Offset rows, const PlanLimits& limits) {
  RowPlan plan;
  Offset begin = 0, cost = 0;
  auto close = [&](Offset end) {
    if (end > begin) plan.tasks.push_back(RowTask{begin, end, -1, 0});
    plan.task_rows = std::max(plan.task_rows, end - begin);
    begin = end;
    cost = 0;
  };
  for (Offset row = 0; row < rows; ++row) {
    const Offset length = row_ptr[row + 1] - row_ptr[row];
    if (length >= limits.giant_row) {
      close(row);
      const Offset parts = (length + kGiantPart - 1) / kGiantPart;
      KANTOR_REQUIRE(parts <= INT32_MAX, "matrix: row " + std::to_string(row) + " is longer than 2^45 nonzeros");
      const int32_t giant = static_cast<int32_t>(plan.giants.size());
      plan.giants.push_back(GiantRow{row, parts, plan.partials});
      plan.partials += parts;
      for (Offset p = 0; p < parts; ++p) plan.tasks.push_back(RowTask{row, row + 1, giant, static_cast<int32_t>(p)});
      begin = row + 1;
      continue;
    }
    if (cost > 0 && (cost + length + kRowCost > limits.task_cost || row - begin == limits.task_rows)) close(row);
    cost += length + kRowCost;
  }
  close(rows);
  return plan;
}

}  // namespace kantor
