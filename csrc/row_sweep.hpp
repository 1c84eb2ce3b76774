// Runs the tasks of a row plan: sums of whole rows, and the parts of giant rows, whose last finisher adds them up.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "buffer.hpp"
#include "cpu_isa.hpp"
#include "reduce.hpp"

namespace kantor {

// The parts of the giant rows of one plan, for k right-hand sides; reusable from sweep to sweep.
class GiantSums {
 public:
  GiantSums(const Matrix& matrix, const RowPlan& plan, Offset k)
      : view_(matrix.view),
        plan_(plan),
        k_(k),
        partials_(static_cast<size_t>(plan.partials * k)),
        missing_(new std::atomic<Offset>[plan.giants.size()]) {
    for (size_t g = 0; g < plan.giants.size(); ++g) missing_[g].store(plan.giants[g].parts);
  }

  // Computes one part. The thread that finishes the last part of a row writes the row's k sums and gets true.
  bool add(const RowTask& task, const double* x, double* sums) {
    const GiantRow& giant = plan_.giants[static_cast<size_t>(task.giant)];
    const Offset at = view_.row_ptr[task.row_begin] + task.part * kGiantPart;
    const Offset left = view_.row_ptr[task.row_end] - at;
    const Offset n = left < kGiantPart ? left : kGiantPart;
    double* first = partials_.data() + giant.first_partial * k_;
    if (k_ == 1)
      first[task.part] = isa().span_sum(view_.values + at, view_.col_idx + at, n, x);
    else
      isa().span_sum_k(view_.values + at, view_.col_idx + at, n, x, k_, first + task.part * k_);
    std::atomic<Offset>& missing = missing_[static_cast<size_t>(task.giant)];
    if (missing.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
    for (Offset j = 0; j < k_; ++j) sums[j] = halving_sum(first + j, giant.parts, k_);
    missing.store(giant.parts, std::memory_order_relaxed);
    return true;
  }

 private:
  const CsrView<double>& view_;
  const RowPlan& plan_;
  Offset k_;
  std::vector<double> partials_;
  std::unique_ptr<std::atomic<Offset>[]> missing_;
};

// Products whose row sums are used up at once, while they are in cache; from the tiles if the matrix has them.
class FusedSweep {
 public:
  FusedSweep(const Matrix& matrix, int threads)
      : matrix_(matrix),
        plan_(matrix.tiles ? matrix.tiles->plan : matrix.plan),
        giants_(matrix, plan_, 1),
        stride_((plan_.task_rows + 15) / 8 * 8),
        sums_(stride_ * threads) {}

  Offset tasks() const { return static_cast<Offset>(plan_.tasks.size()); }

  // finish(begin, end, sums) with the sums of the rows of one task; sums may be overwritten.
  template <typename Finish>
  void run(int rank, Offset task, const double* x, Finish&& finish) {
    const RowTask& t = plan_.tasks[static_cast<size_t>(task)];
    double* sums = sums_.data() + rank * stride_;
    if (t.giant >= 0) {
      if (!giants_.add(t, x, sums)) return;
    } else if (matrix_.tiles) {
      const Tiles& tiles = *matrix_.tiles;
      isa().tile_sums(tiles, tiles.start.data() + task * tiles.windows, x, t.row_end - t.row_begin, sums);
    } else {
      isa().row_sums(matrix_.view, x, t.row_begin, t.row_end, sums);
    }
    finish(t.row_begin, t.row_end, sums);
  }

 private:
  const Matrix& matrix_;
  const RowPlan& plan_;
  GiantSums giants_;
  Offset stride_;
  Buffer<double> sums_;  // one piece a thread
};

}  // namespace kantor
