// The kernel contract of the CPU core. Arrays are double, contiguous, owned by the caller and, unless stated, distinct.
// (n, k) arrays hold the k values of one row side by side. All kernels are parallel, allocate no more than a few small
// buffers, may run concurrently, and give the same bits for every number of threads and every instruction set.
#pragma once

#include <memory>
#include <vector>

#include "pointwise.hpp"
#include "row_plan.hpp"
#include "tiles.hpp"
#include "types.hpp"

namespace kantor {

// A matrix together with its cut into tasks; the memory of the view belongs to somebody else. Value is double, or float
// for a matrix of half the bytes: its numbers are widened before they are multiplied, so vectors and sums stay double.
template <typename Value>
struct Matrix {
  CsrView<Value> view;
  RowPlan plan;
  std::shared_ptr<const Tiles<Value>> tiles;  // second layout for products of one column, or null
};

// Throws Error unless row_ptr rises from 0 to nnz and every column index lies in [0, cols).
template <typename Value>
void check_csr(const CsrView<Value>& A, Offset nnz);

// Checks a CSR matrix and plans its rows.
template <typename Value>
Matrix<Value> prepare(const CsrView<Value>& A, Offset nnz);

// Adds the second layout (tiles.hpp) to a prepared matrix where it pays: 4 more bytes a nonzero and its value again.
template <typename Value>
void add_tiles(Matrix<Value>& A);

// Writes A' as CSR: row_ptr (cols + 1), col_idx and values (nnz); the entries of a row in the order of A's rows.
// O(nnz). A.rows must fit an Index.
template <typename Value>
void transpose(const CsrView<Value>& A, Offset* row_ptr, Index* col_idx, Value* values);

// out (rows) <- A x, x (cols); with tiles if A has them.
template <typename Value>
void spmv(const Matrix<Value>& A, const double* x, double* out);

// out (rows, k) <- A x, x (cols, k).
template <typename Value>
void spmm(const Matrix<Value>& A, const double* x, Offset k, double* out);

// out (rows, k) <- x - A x for a square A: (I - A) x in one go.
template <typename Value>
void net_product(const Matrix<Value>& A, const double* x, Offset k, double* out);

// A plain sweep in single precision: out <- A r, x <- x + out, squares (k) <- columnwise sums of out^2. A square, r, x
// and out (n, k). Values are rounded to float32 as they are read; the same bits for every number of threads.
template <typename Value>
void single_sweep(const Matrix<Value>& A, const float* r, Offset k, float* x, float* out, double* squares);

void fill(double value, double* out, Offset n);
void copy(const double* x, double* out, Offset n);

// y <- a x + b y; with b == 0 the old y is not read.
void axpby(double a, const double* x, double b, double* y, Offset n);

// The same with one weight a column: x, y (n, k), a and b (k).
void axpby_columns(const double* a, const double* x, const double* b, double* y, Offset n, Offset k);

// y <- a x + b z + c y; with c == 0 the old y is not used. With one weight a column: x, z, y (n, k), a, b, c (k).
void combine(double a, const double* x, double b, const double* z, double c, double* y, Offset n);
void combine_columns(const double* a, const double* x, const double* b, const double* z, const double* c, double* y,
                     Offset n, Offset k);

void multiply(const double* x, const double* y, double* out, Offset n);  // out may be x or y

// out <- min(max(x, lower), upper), NaN as in NumPy; out may be x.
void clip(const double* x, const double* lower, const double* upper, double* out, Offset n);

// Separable terms, one a column: see TermKind.
struct TermsView {
  const uint8_t* kind = nullptr;  // null: no terms at all
  const double* a = nullptr;
  const double* b = nullptr;
  const double* e = nullptr;
};

// out_j <- prox of term j at v_j, without bounds; out may be v.
void prox(const TermsView& terms, double tau, const double* v, double* out, Offset n);

// One array or one pair of arrays of a batch: n rows.
struct Operands {
  const double* x;
  const double* y;
  Offset n;
};

// out (count, k): columnwise sums of x * y for each pair of (n, k) arrays, in the order of reduce.hpp.
void dot(const std::vector<Operands>& pairs, Offset k, double* out);

// out (count, k): columnwise largest |x|, 0 for an empty array, NaN if any entry is NaN. y is not used.
void largest_magnitude(const std::vector<Operands>& arrays, Offset k, double* out);

// least and most of x (n): +inf and -inf for an empty array, NaN if any entry is NaN.
void extremes(const double* x, Offset n, double* least, double* most);

// The vectors of reflected Halpern PDHG, as kantor.backends.protocol.PdhgState names them.
struct PdhgArrays {
  Offset columns = 0;
  Offset rows = 0;
  const double* c = nullptr;
  const double* lower = nullptr;
  const double* upper = nullptr;
  const double* row_lower = nullptr;
  const double* row_upper = nullptr;
  TermsView terms;
  double* x = nullptr;
  const double* x_anchor = nullptr;
  double* x_hat = nullptr;
  double* x_reflected = nullptr;
  double* dx = nullptr;
  double* aty = nullptr;
  double* y = nullptr;
  const double* y_anchor = nullptr;
  double* y_hat = nullptr;
  double* dy = nullptr;
  double* ax = nullptr;
};

// The two halves of an iteration, given s.aty = K'y or s.ax = K x_reflected. With `last` also x_hat, dx or y_hat, dy.
void primal_step(const PdhgArrays& s, const StepSizes& steps, bool last);
void dual_step(const PdhgArrays& s, const StepSizes& steps, bool last);

// `iterations` whole iterations, the k-th of them after the anchor first; products fused with their steps, one parallel
// region for all. Afterwards x_hat, y_hat, dx, dy, aty and ax are those of the last iteration.
template <typename Value>
void pdhg_block(const Matrix<Value>& K, const Matrix<Value>& KT, const PdhgArrays& s, double eta, double weight,
                int64_t k, int64_t iterations);

// Bytes a second: out <- a x + y over n elements, best of `repeats` (24 n bytes each, without the read for ownership),
// and x.x (8 n bytes). The yardsticks of the kernel benchmark.
double triad_bandwidth(Offset n, int repeats);
double read_bandwidth(Offset n, int repeats);

// Seconds a read of an element of a vector of `length` at random, all threads together, with the 12 bytes of a matrix
// entry that says which: what a product pays where it finds no order in its columns.
double gather_seconds(Offset length, Offset reads, int repeats);

}  // namespace kantor
