// Set-up of sparse matrices (checks, transpose) and their products.
#include <algorithm>

#include "error.hpp"
#include "kernels.hpp"
#include "parallel.hpp"
#include "row_sweep.hpp"

namespace kantor {
namespace {

constexpr Offset kSetupGrain = 1 << 16;

// The smallest i in [0, n) with wrong(i), or n; in parallel.
template <typename Wrong>
Offset first_wrong(Offset n, Wrong wrong) {
  std::atomic<Offset> first(n);
  parallel_chunks(n, kSetupGrain, 1, [&](Offset begin, Offset end) {
    for (Offset i = begin; i < end; ++i) {
      if (!wrong(i)) continue;
      Offset seen = first.load();
      while (i < seen && !first.compare_exchange_weak(seen, i)) {
      }
      return;
    }
  });
  return first.load();
}

// The whole product of a sweep (row_sweep.hpp), stored; finish(begin, end) for rows of it that are still in cache.
template <typename Sweep, typename Finish>
void sweep_once(Sweep& sweep, int threads, const double* x, Offset k, double* out, Finish finish) {
  Dispenser parts(sweep.parts(), threads), blocks(sweep.blocks(), threads);
  parallel_region(threads, [&](Team& team) {
    parts.run(team, 0, [&](Offset part) { sweep.sum_part(part, x); });
    if (sweep.parts() > 0) team.barrier();
    blocks.run(team, 0, [&](Offset block) {
      sweep.sum_block(block, x, out + sweep.row_begin(block) * k);
      finish(sweep.row_begin(block), sweep.row_end(block));
    });
  });
}

// The product in the layout that suits k, with what is to be done to its rows.
template <typename Value, typename Finish>
void product(const Matrix<Value>& A, const double* x, Offset k, double* out, Finish finish) {
  const int threads = threads_for((A.view.nnz() + A.view.rows) * k);
  if (k == 1 && A.tiles) {
    TileSweep<Value> sweep(A);
    sweep_once(sweep, threads, x, k, out, finish);
  } else {
    CsrSweep<Value> sweep(A, k);
    sweep_once(sweep, threads, x, k, out, finish);
  }
}

}  // namespace

template <typename Value>
void check_csr(const CsrView<Value>& A, Offset nnz) {
  KANTOR_REQUIRE(A.row_ptr[0] == 0, "matrix: indptr[0] is " + std::to_string(A.row_ptr[0]) + ", expected 0");
  const Offset row = first_wrong(A.rows, [&](Offset i) { return A.row_ptr[i + 1] < A.row_ptr[i]; });
  KANTOR_REQUIRE(row == A.rows, "matrix: indptr falls from " + std::to_string(A.row_ptr[row]) + " to " +
                                    std::to_string(A.row_ptr[row + 1]) + " at row " + std::to_string(row));
  KANTOR_REQUIRE(A.row_ptr[A.rows] == nnz, "matrix: indptr ends at " + std::to_string(A.row_ptr[A.rows]) +
                                               ", expected the number of nonzeros, " + std::to_string(nnz));
  const Offset at = first_wrong(nnz, [&](Offset i) { return A.col_idx[i] < 0 || A.col_idx[i] >= A.cols; });
  KANTOR_REQUIRE(at == nnz, "matrix: column index " + std::to_string(A.col_idx[at]) + " at nonzero " +
                                std::to_string(at) + ", expected 0 <= index < " + std::to_string(A.cols));
}

template <typename Value>
Matrix<Value> prepare(const CsrView<Value>& A, Offset nnz) {
  check_csr(A, nnz);
  return Matrix<Value>{A, plan_rows(A.row_ptr, A.rows), nullptr};
}

template <typename Value>
void add_tiles(Matrix<Value>& A) {
  const Offset rows = tile_rows(A.view);
  if (rows > 0) A.tiles = std::make_shared<const Tiles<Value>>(make_tiles(A.view, rows));
}

// Counting sort by column. The rows are cut into a few parts of equal nonzeros; part p first counts its columns, then
// writes behind the entries of the parts before it, so the order within a row of A' is that of A's rows whatever the
// number of parts.
template <typename Value>
void transpose(const CsrView<Value>& A, Offset* row_ptr, Index* col_idx, Value* values) {
  KANTOR_REQUIRE(A.rows <= INT32_MAX,
                 "matrix: " + std::to_string(A.rows) + " rows, expected at most 2^31 - 1 for the transpose");
  const Offset nnz = A.nnz();
  // A part needs one counter a column: worth it only while counters are few against the nonzeros.
  const Offset worth = nnz / (4 * (A.cols + 1)) + 1;
  const int parts = static_cast<int>(std::min<Offset>(threads_for(nnz), worth));
  std::vector<Offset> place(static_cast<size_t>(parts) * static_cast<size_t>(A.cols), 0);
  auto first_row = [&](Offset part) {
    return std::lower_bound(A.row_ptr, A.row_ptr + A.rows, nnz * part / parts) - A.row_ptr;
  };
  auto each_entry = [&](int part, auto&& visit) {
    const Offset end = part + 1 == parts ? A.rows : first_row(part + 1);
    for (Offset row = first_row(part); row < end; ++row)
      for (Offset i = A.row_ptr[row]; i < A.row_ptr[row + 1]; ++i) visit(row, i);
  };
  parallel_region(parts, [&](Team& team) {
    for (int p = team.rank(); p < parts; p += team.size()) {
      Offset* count = place.data() + p * A.cols;
      each_entry(p, [&](Offset, Offset i) { ++count[A.col_idx[i]]; });
    }
    team.barrier();
    if (team.rank() == 0) {
      Offset at = 0;
      for (Offset column = 0; column < A.cols; ++column) {
        row_ptr[column] = at;
        for (int p = 0; p < parts; ++p) {
          const Offset count = place[p * A.cols + column];
          place[p * A.cols + column] = at;
          at += count;
        }
      }
      row_ptr[A.cols] = at;
    }
    team.barrier();
    for (int p = team.rank(); p < parts; p += team.size()) {
      Offset* next = place.data() + p * A.cols;
      each_entry(p, [&](Offset row, Offset i) {
        const Offset to = next[A.col_idx[i]]++;
        col_idx[to] = static_cast<Index>(row);
        values[to] = A.values[i];
      });
    }
  });
}

template <typename Value>
void spmm(const Matrix<Value>& A, const double* x, Offset k, double* out) {
  product(A, x, k, out, [](Offset, Offset) {});
}

template <typename Value>
void net_product(const Matrix<Value>& A, const double* x, Offset k, double* out) {
  product(A, x, k, out, [=](Offset begin, Offset end) {
    for (Offset i = begin * k; i < end * k; ++i) out[i] = x[i] - out[i];
  });
}

template <typename Value>
void spmv(const Matrix<Value>& A, const double* x, double* out) {
  spmm(A, x, 1, out);
}

template <typename Value>
void single_sweep(const Matrix<Value>& A, const float* r, Offset k, float* x, float* out, double* squares) {
  const IsaTable& loops = isa();
  const Offset tasks = static_cast<Offset>(A.plan.tasks.size());
  std::vector<double> partials(static_cast<size_t>(tasks * k), 0.0);
  const int threads = threads_for((A.view.nnz() + A.view.rows) * k);
  Dispenser dispenser(tasks, threads);
  parallel_region(threads, [&](Team& team) {
    dispenser.run(team, 0, [&](Offset task) {
      const RowTask& rows = A.plan.tasks[static_cast<size_t>(task)];
      float* to = out + rows.row_begin * k;
      matrix_loops<Value>().single_sums(A.view, r, k, rows.row_begin, rows.row_end, to);
      loops.single_finish(to, x + rows.row_begin * k, rows.row_end - rows.row_begin, k, partials.data() + task * k);
    });
  });
  for (Offset j = 0; j < k; ++j) squares[j] = halving_sum(partials.data() + j, tasks, k);
}

#define KANTOR_SPARSE(Value)                                                                                           \
  template void check_csr(const CsrView<Value>& A, Offset nnz);                                                        \
  template Matrix<Value> prepare(const CsrView<Value>& A, Offset nnz);                                                 \
  template void add_tiles(Matrix<Value>& A);                                                                           \
  template void transpose(const CsrView<Value>& A, Offset* row_ptr, Index* col_idx, Value* values);                    \
  template void spmm(const Matrix<Value>& A, const double* x, Offset k, double* out);                                  \
  template void net_product(const Matrix<Value>& A, const double* x, Offset k, double* out);                           \
  template void single_sweep(const Matrix<Value>& A, const float* r, Offset k, float* x, float* out, double* squares); \
  template void spmv(const Matrix<Value>& A, const double* x, double* out);

KANTOR_SPARSE(double)
KANTOR_SPARSE(float)

}  // namespace kantor
