// Reflected Halpern PDHG on the CPU: the two half-iterations, and whole blocks of iterations without leaving C++.
#include <algorithm>

#include "kernels.hpp"
#include "parallel.hpp"
#include "row_sweep.hpp"

namespace kantor {
namespace {

constexpr Offset kStepRows = 1024;

// Applies a half-iteration to [0, n) given its products in memory; the loops overwrite their argument, so they get a
// copy.
template <typename Half>
void half_step(Offset n, const double* products, Half half) {
  parallel_chunks(n, kStepRows, 4, [&](Offset begin, Offset end) {
    double sums[kStepRows];
    std::copy(products + begin, products + end, sums);
    half(begin, end, sums);
  });
}

}  // namespace

void primal_step(const PdhgArrays& s, const StepSizes& steps, bool last) {
  const IsaTable& loops = isa();
  half_step(s.columns, s.aty,
            [&](Offset begin, Offset end, double* sums) { loops.primal(s, steps, last, begin, end, sums); });
}

void dual_step(const PdhgArrays& s, const StepSizes& steps, bool last) {
  const IsaTable& loops = isa();
  half_step(s.rows, s.ax,
            [&](Offset begin, Offset end, double* sums) { loops.dual(s, steps, last, begin, end, sums); });
}

void pdhg_block(const Matrix& K, const Matrix& KT, const PdhgArrays& s, double eta, double weight, int64_t k,
                int64_t iterations) {
  const IsaTable& loops = isa();
  const int threads = threads_for(K.view.nnz() + s.columns + s.rows);
  FusedSweep columns(KT, threads), rows(K, threads);
  Dispenser column_tasks(columns.tasks(), threads), row_tasks(rows.tasks(), threads);
  parallel_region(threads, [&](Team& team) {
    for (int64_t i = 0; i < iterations; ++i) {
      const StepSizes steps = step_sizes(eta, weight, k + i);
      const bool last = i == iterations - 1;
      // xh <- clip(prox(x - tau (c - K'y))), xr <- 2 xh - x, x <- w xr + (1 - w) x_anchor
      column_tasks.run(team, i, [&](Offset task) {
        columns.run(team.rank(), task, s.y,
                    [&](Offset begin, Offset end, double* sums) { loops.primal(s, steps, last, begin, end, sums); });
      });
      team.barrier();
      // yh <- y + sigma (clip(K xr - y/sigma, l, u) - K xr), y <- w (2 yh - y) + (1 - w) y_anchor
      row_tasks.run(team, i, [&](Offset task) {
        rows.run(team.rank(), task, s.x_reflected,
                 [&](Offset begin, Offset end, double* sums) { loops.dual(s, steps, last, begin, end, sums); });
      });
      team.barrier();
    }
  });
}

}  // namespace kantor
