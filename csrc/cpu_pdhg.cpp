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

// One product and what becomes of its sums, on all threads; the same tasks in every iteration.
template <typename Sweep>
class FusedProduct {
 public:
  FusedProduct(Sweep& sweep, int threads)
      : sweep_(sweep),
        parts_(sweep.parts(), threads),
        blocks_(sweep.blocks(), threads),
        stride_((sweep.most_rows() / kLine + 2) * kLine),
        sums_(stride_ * threads) {}

  // finish(begin, end, sums) with the sums of rows [begin, end) while they are in cache; it may overwrite them.
  template <typename Finish>
  void run(Team& team, int64_t iteration, const double* x, Finish finish) {
    if (sweep_.parts() > 0) {
      parts_.run(team, iteration, [&](Offset part) { sweep_.sum_part(part, x); });
      team.barrier();
    }
    double* sums = sums_.data() + team.rank() * stride_;
    blocks_.run(team, iteration, [&](Offset block) {
      sweep_.sum_block(block, x, sums);
      finish(sweep_.row_begin(block), sweep_.row_end(block), sums);
    });
    team.barrier();
  }

 private:
  Sweep& sweep_;
  Dispenser parts_, blocks_;
  Offset stride_;
  Buffer<double> sums_;  // a piece for each thread
};

template <typename Columns, typename Rows>
void run_block(Columns& columns, Rows& rows, const PdhgArrays& s, double eta, double weight, int64_t k,
               int64_t iterations, int threads) {
  const IsaTable& loops = isa();
  FusedProduct<Columns> primal(columns, threads);
  FusedProduct<Rows> dual(rows, threads);
  parallel_region(threads, [&](Team& team) {
    for (int64_t i = 0; i < iterations; ++i) {
      const StepSizes steps = step_sizes(eta, weight, k + i);
      const bool last = i == iterations - 1;
      // xh <- clip(prox(x - tau (c - K'y))), xr <- 2 xh - x, x <- w xr + (1 - w) x_anchor
      primal.run(team, i, s.y,
                 [&](Offset begin, Offset end, double* sums) { loops.primal(s, steps, last, begin, end, sums); });
      // yh <- y + sigma (clip(K xr - y/sigma, l, u) - K xr), y <- w (2 yh - y) + (1 - w) y_anchor
      dual.run(team, i, s.x_reflected,
               [&](Offset begin, Offset end, double* sums) { loops.dual(s, steps, last, begin, end, sums); });
    }
  });
}

template <typename Value, typename Use>
void with_sweep(const Matrix<Value>& matrix, Use use) {
  if (matrix.tiles) {
    TileSweep<Value> sweep(matrix);
    use(sweep);
  } else {
    CsrSweep<Value> sweep(matrix, 1);
    use(sweep);
  }
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

template <typename Value>
void pdhg_block(const Matrix<Value>& K, const Matrix<Value>& KT, const PdhgArrays& s, double eta, double weight,
                int64_t k, int64_t iterations) {
  const int threads = threads_for(K.view.nnz() + s.columns + s.rows, kWorthMeeting);
  with_sweep(KT, [&](auto& columns) {
    with_sweep(K, [&](auto& rows) { run_block(columns, rows, s, eta, weight, k, iterations, threads); });
  });
}

template void pdhg_block(const Matrix<double>& K, const Matrix<double>& KT, const PdhgArrays& s, double eta,
                         double weight, int64_t k, int64_t iterations);
template void pdhg_block(const Matrix<float>& K, const Matrix<float>& KT, const PdhgArrays& s, double eta,
                         double weight, int64_t k, int64_t iterations);

}  // namespace kantor
