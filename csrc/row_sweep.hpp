// Products in two phases. First the parts of what is too long for one thread: giant rows of a CSR matrix, hub segments
// of tiles. Then, after a barrier, all rows: blocks of row sums, into which the parts are added in fixed order.
#pragma once

#include <vector>

#include "cpu_isa.hpp"
#include "reduce.hpp"

namespace kantor {

// The products of a CSR matrix with k right-hand sides.
template <typename Value>
class CsrSweep {
 public:
  CsrSweep(const Matrix<Value>& matrix, Offset k)
      : matrix_(matrix),
        loops_(matrix_loops<Value>()),
        k_(k),
        partials_(matrix.plan.parts.size() * static_cast<size_t>(k)) {}

  Offset parts() const { return static_cast<Offset>(matrix_.plan.parts.size()); }
  Offset blocks() const { return static_cast<Offset>(matrix_.plan.tasks.size()); }
  Offset row_begin(Offset block) const { return task(block).row_begin; }
  Offset row_end(Offset block) const { return task(block).row_end; }
  Offset most_rows() const { return kTaskRows; }

  void sum_part(Offset part, const double* x) {
    const CsrView<Value>& A = matrix_.view;
    const GiantPart& p = matrix_.plan.parts[static_cast<size_t>(part)];
    double* sums = partials_.data() + part * k_;
    if (k_ == 1)
      *sums = loops_.span_sum(A.values + p.begin, A.col_idx + p.begin, p.end - p.begin, x);
    else
      loops_.span_sum_k(A.values + p.begin, A.col_idx + p.begin, p.end - p.begin, x, k_, sums);
  }

  // sums (rows of the block, k)
  void sum_block(Offset block, const double* x, double* sums) {
    const RowTask& t = task(block);
    if (t.parts > 0) {
      for (Offset j = 0; j < k_; ++j) sums[j] = halving_sum(partials_.data() + t.first_part * k_ + j, t.parts, k_);
    } else if (k_ == 1) {
      loops_.row_sums(matrix_.view, x, t.row_begin, t.row_end, sums);
    } else {
      loops_.row_sums_k(matrix_.view, x, k_, t.row_begin, t.row_end, sums);
    }
  }

 private:
  const RowTask& task(Offset block) const { return matrix_.plan.tasks[static_cast<size_t>(block)]; }

  const Matrix<Value>& matrix_;
  const MatrixLoops<Value>& loops_;
  Offset k_;
  std::vector<double> partials_;
};

// The products of tiles with one right-hand side; the same interface.
template <typename Value>
class TileSweep {
 public:
  explicit TileSweep(const Matrix<Value>& matrix)
      : view_(matrix.view), tiles_(*matrix.tiles), loops_(matrix_loops<Value>()), partials_(tiles_.parts.size()) {}

  Offset parts() const { return static_cast<Offset>(tiles_.parts.size()); }
  Offset blocks() const { return static_cast<Offset>(tiles_.blocks.size()); }
  Offset row_begin(Offset block) const { return tiles_.blocks[static_cast<size_t>(block)].row_begin; }
  Offset row_end(Offset block) const { return tiles_.blocks[static_cast<size_t>(block)].row_end; }
  Offset most_rows() const { return tiles_.block_rows; }

  void sum_part(Offset part, const double* x) {
    const GiantPart& p = tiles_.parts[static_cast<size_t>(part)];
    partials_[static_cast<size_t>(part)] =
        loops_.span_sum(view_.values + p.begin, view_.col_idx + p.begin, p.end - p.begin, x);
  }

  void sum_block(Offset block, const double* x, double* sums) {
    const RowBlock& rows = tiles_.blocks[static_cast<size_t>(block)];
    loops_.tile_sums(tiles_, block, x, sums);
    for (Offset g = rows.giant_begin; g < rows.giant_end; ++g) {
      const GiantRow& giant = tiles_.giants[static_cast<size_t>(g)];
      sums[giant.row - rows.row_begin] = halving_sum(partials_.data() + giant.first_part, giant.parts);
    }
  }

 private:
  const CsrView<Value>& view_;
  const Tiles<Value>& tiles_;
  const MatrixLoops<Value>& loops_;
  std::vector<double> partials_;
};

}  // namespace kantor
