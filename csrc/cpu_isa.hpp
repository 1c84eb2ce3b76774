// The hot loops on contiguous ranges, compiled once per instruction set (cpu_isa.cpp) and chosen at run time.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"
#include "stages.hpp"

namespace kantor {

// The loops over the entries of a matrix; a value is widened to double before it is multiplied.
template <typename Value>
struct MatrixLoops {
  // out[i - begin] <- row i of A times x, i in [begin, end).
  void (*row_sums)(const CsrView<Value>& A, const double* x, Offset begin, Offset end, double* out);
  // sum of values[i] * x[cols[i]], i in [0, n): part of a giant row.
  double (*span_sum)(const Value* values, const Index* cols, Offset n, const double* x);
  // sums[r] <- sum over the entries of row r of one block of tiles.
  void (*tile_sums)(const Tiles<Value>& A, Offset block, const double* x, double* sums);
  // Row and part sums for k right-hand sides; out (end - begin, k) and (k).
  void (*row_sums_k)(const CsrView<Value>& A, const double* x, Offset k, Offset begin, Offset end, double* out);
  void (*span_sum_k)(const Value* values, const Index* cols, Offset n, const double* x, Offset k, double* out);
  // Row sums in single precision for k right-hand sides; out (end - begin, k).
  void (*single_sums)(const CsrView<Value>& A, const float* r, Offset k, Offset begin, Offset end, float* out);
};

struct IsaTable {
  const char* name;
  MatrixLoops<double> doubles;
  MatrixLoops<float> floats;

  void (*axpby)(double a, const double* x, double b, double* y, Offset n);
  void (*combine)(double a, const double* x, double b, const double* z, double c, double* y, Offset n);
  void (*combine_columns)(const double* a, const double* x, const double* b, const double* z, const double* c,
                          double* y, Offset rows, Offset k);
  // x <- x + out and squares (k) <- squares + out^2 by column.
  void (*single_finish)(const float* out, float* x, Offset rows, Offset k, double* squares);
  // sums[row] <- sums[row] + value * x[column] for the n entries of a task in one window, a row's in their order.
  void (*stage_sums)(const StageEntry* entries, Offset n, const float* x, double* sums);
  void (*multiply)(const double* x, const double* y, double* out, Offset n);
  void (*clip)(const double* x, const double* lower, const double* upper, double* out, Offset n);
  // Sum of x * y and largest |x| of one chunk, n <= kReduceChunk, in the order of reduce.hpp.
  double (*dot)(const double* x, const double* y, Offset n);
  double (*largest)(const double* x, Offset n);
  // Primal and dual half-iteration of columns or rows [begin, end); sums[i - begin] holds (K'y)_i or (K xr)_i and is
  // overwritten.
  void (*primal)(const PdhgArrays& s, const StepSizes& steps, bool last, Offset begin, Offset end, double* sums);
  void (*dual)(const PdhgArrays& s, const StepSizes& steps, bool last, Offset begin, Offset end, double* sums);
};

// The tables this build holds and this processor can run, best last.
const std::vector<const IsaTable*>& isa_tables();

// The table in use: the best one, or the one last chosen by name (throws Error if there is no such table).
const IsaTable& isa();

// Its loops over matrices of Value.
template <typename Value>
const MatrixLoops<Value>& matrix_loops() {
  if constexpr (sizeof(Value) == sizeof(float))
    return isa().floats;
  else
    return isa().doubles;
}
void choose_isa(const std::string& name);

}  // namespace kantor
