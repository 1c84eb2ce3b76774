// Runs the tasks of a row plan: sums of whole rows, and the parts of giant rows, whose last finisher adds them up.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "cpu_isa.hpp"
#include "reduce.hpp"

namespace kantor {

class RowSweep {
 public:
  // Scratch for the products of one matrix with k right-hand sides; one sweep at a time, any number of them.
  explicit RowSweep(const Matrix& matrix, Offset k = 1)
      : matrix_(matrix),
        isa_(isa()),
        k_(k),
        partials_(static_cast<size_t>(matrix.plan.partials * k)),
        missing_(new std::atomic<Offset>[matrix.plan.giants.size()]) {
    for (size_t g = 0; g < matrix.plan.giants.size(); ++g) missing_[g].store(matrix.plan.giants[g].parts);
  }

  Offset tasks() const { return static_cast<Offset>(matrix_.plan.tasks.size()); }

  // Computes the row sums of one task into out (rows, k).
  void store(Offset task, const double* x, double* out) {
    const RowTask& t = matrix_.plan.tasks[static_cast<size_t>(task)];
    double* place = out + t.row_begin * k_;
    if (t.giant >= 0) {
      if (add_part(t, x)) collect(t, place);
    } else if (k_ == 1) {
      isa_.row_sums(matrix_.view, x, t.row_begin, t.row_end, place);
    } else {
      isa_.row_sums_k(matrix_.view, x, k_, t.row_begin, t.row_end, place);
    }
  }

  // Hands the row sums of one task to finish(begin, end, sums) while they are in the first-level cache; k == 1.
  template <typename Finish>
  void fuse(Offset task, const double* x, Finish&& finish) {
    const RowTask& t = matrix_.plan.tasks[static_cast<size_t>(task)];
    double sums[kTaskRows];
    if (t.giant >= 0) {
      if (!add_part(t, x)) return;
      collect(t, sums);
    } else {
      isa_.row_sums(matrix_.view, x, t.row_begin, t.row_end, sums);
    }
    finish(t.row_begin, t.row_end, sums);
  }

 private:
  // True for the thread that finishes the last part of a giant row.
  bool add_part(const RowTask& t, const double* x) {
    const GiantRow& giant = matrix_.plan.giants[static_cast<size_t>(t.giant)];
    const Offset row_begin = matrix_.view.row_ptr[t.row_begin], row_end = matrix_.view.row_ptr[t.row_end];
    const Offset at = row_begin + t.part * kGiantPart;
    const Offset n = at + kGiantPart < row_end ? kGiantPart : row_end - at;
    double* partial = partials_.data() + (giant.first_partial + t.part) * k_;
    if (k_ == 1)
      *partial = isa_.span_sum(matrix_.view.values + at, matrix_.view.col_idx + at, n, x);
    else
      isa_.span_sum_k(matrix_.view.values + at, matrix_.view.col_idx + at, n, x, k_, partial);
    return missing_[static_cast<size_t>(t.giant)].fetch_sub(1, std::memory_order_acq_rel) == 1;
  }

  void collect(const RowTask& t, double* out) {
    const GiantRow& giant = matrix_.plan.giants[static_cast<size_t>(t.giant)];
    for (Offset j = 0; j < k_; ++j)
      out[j] = halving_sum(partials_.data() + giant.first_partial * k_ + j, giant.parts, k_);
    missing_[static_cast<size_t>(t.giant)].store(giant.parts, std::memory_order_relaxed);
  }

  const Matrix& matrix_;
  const IsaTable& isa_;
  Offset k_;
  std::vector<double> partials_;
  std::unique_ptr<std::atomic<Offset>[]> missing_;
};

}  // namespace kantor
