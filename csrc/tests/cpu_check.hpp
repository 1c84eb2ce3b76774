// What the tests of the CPU core share: a check that names its line, random vectors, test matrices, plain products.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "cpu_isa.hpp"
#include "error.hpp"
#include "kernels.hpp"
#include "parallel.hpp"

namespace kantor::test {

inline int failures = 0;

inline void check(bool good, const char* what, const std::string& where, int line) {
  if (good) return;
  std::printf("line %d: %s [%s]\n", line, what, where.c_str());
  ++failures;
}

#define CHECK(condition, where) ::kantor::test::check((condition), #condition, (where), __LINE__)

inline int report(const char* name) {
  std::printf("%s: %d failures\n", name, failures);
  return failures == 0 ? 0 : 1;
}

using Vector = std::vector<double>;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
const Offset kSizes[] = {0, 1, 31, 33, 1000003};

inline Vector random_vector(Offset n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  Vector v(static_cast<size_t>(n));
  for (double& value : v) value = uniform(random);
  return v;
}

inline bool same_bits(const Vector& a, const Vector& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

// Largest |a - b| / (1 + |b|).
inline double distance(const Vector& a, const Vector& b) {
  double top = a.size() == b.size() ? 0.0 : kInf;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i)
    top = maximum(top, std::fabs(a[i] - b[i]) / (1.0 + std::fabs(b[i])));
  return top;
}

struct TestMatrix {
  Offset cols = 0;
  std::vector<Offset> row_ptr{0};
  std::vector<Index> col_idx;
  Vector values;
  std::vector<float> singles;

  Offset rows() const { return static_cast<Offset>(row_ptr.size()) - 1; }
  Offset nnz() const { return static_cast<Offset>(values.size()); }
  CsrView<double> view() const { return {rows(), cols, row_ptr.data(), col_idx.data(), values.data()}; }
  Matrix<double> prepared() const { return prepare(view(), nnz()); }

  // Rounds the values to float32 and returns the matrix of those; it must not outlive this one.
  Matrix<float> single() {
    singles.assign(values.begin(), values.end());
    values.assign(singles.begin(), singles.end());
    return prepare(CsrView<float>{rows(), cols, row_ptr.data(), col_idx.data(), singles.data()}, nnz());
  }
};

// Row i has length(i) random entries; columns may repeat, as CSR allows.
template <typename Length>
TestMatrix random_matrix(Offset rows, Offset cols, uint64_t seed, Length length) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<Index> column(0, static_cast<Index>(cols > 0 ? cols - 1 : 0));
  std::uniform_real_distribution<double> value(-1.0, 1.0);
  TestMatrix A;
  A.cols = cols;
  for (Offset row = 0; row < rows; ++row) {
    const Offset n = cols == 0 ? 0 : length(row);
    for (Offset i = 0; i < n; ++i) {
      A.col_idx.push_back(column(random));
      A.values.push_back(value(random));
    }
    A.row_ptr.push_back(A.nnz());
  }
  return A;
}

inline TestMatrix transposed(const TestMatrix& A) {
  TestMatrix T;
  T.cols = A.rows();
  T.row_ptr.resize(static_cast<size_t>(A.cols) + 1);
  T.col_idx.resize(A.col_idx.size());
  T.values.resize(A.values.size());
  transpose(A.view(), T.row_ptr.data(), T.col_idx.data(), T.values.data());
  return T;
}

// A x and |A| |x| (the scale of its rounding error), the plain way; x (cols, k).
inline void plain_product(const TestMatrix& A, const Vector& x, Offset k, Vector& out, Vector& scale) {
  out.assign(static_cast<size_t>(A.rows() * k), 0.0);
  scale = out;
  for (Offset row = 0; row < A.rows(); ++row)
    for (Offset i = A.row_ptr[static_cast<size_t>(row)]; i < A.row_ptr[static_cast<size_t>(row) + 1]; ++i)
      for (Offset j = 0; j < k; ++j) {
        const double term =
            A.values[static_cast<size_t>(i)] * x[static_cast<size_t>(A.col_idx[static_cast<size_t>(i)] * k + j)];
        out[static_cast<size_t>(row * k + j)] += term;
        scale[static_cast<size_t>(row * k + j)] += std::fabs(term);
      }
}

// Runs body() for 1 to 4 threads and every instruction set this processor has; `where` tells which.
template <typename Body>
void for_each_way(Body body) {
  const int threads_before = num_threads();
  const std::string isa_before = isa().name;
  for (const IsaTable* table : isa_tables())
    for (int threads = 1; threads <= 4; ++threads) {
      choose_isa(table->name);
      set_num_threads(threads);
      body(std::string(table->name) + ", " + std::to_string(threads) + " threads");
    }
  choose_isa(isa_before);
  set_num_threads(threads_before);
}

}  // namespace kantor::test
