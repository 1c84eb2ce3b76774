// What the host tests of csrc/cuda share: all of it on the emulated runtime, a check that names its line, test
// matrices.
#pragma once

#define KANTOR_EMULATE_CUDA
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cuda/device.cu"
#include "cuda/pdhg.cu"
#include "cuda/products.cu"
#include "cuda/reductions.cu"
#include "cuda/vectors.cu"

namespace kantor::cuda::test {

inline int failures = 0;

inline void check(bool good, const char* what, const std::string& where, int line) {
  if (good) return;
  std::printf("line %d: %s [%s]\n", line, what, where.c_str());
  ++failures;
}

#define CHECK(condition, where) ::kantor::cuda::test::check((condition), #condition, (where), __LINE__)

inline int report(const char* name) {
  std::printf("%s: %d failures\n", name, failures);
  return failures == 0 ? 0 : 1;
}

struct HostCsr {
  Offset cols = 0;
  std::vector<Offset> row_ptr{0};
  std::vector<Index> col_idx;
  std::vector<double> values;

  Offset rows() const { return static_cast<Offset>(row_ptr.size()) - 1; }
  CsrView<double> view() const { return {rows(), cols, row_ptr.data(), col_idx.data(), values.data()}; }
};

// Whole numbers below 2^20 as values: with whole x below 2^10 every sum of up to 2^23 terms is exact in any order, so a
// nonzero that is missed or counted twice shows as a difference, whatever the rounding.
template <class Lengths, class Random>
HostCsr matrix_of(const Lengths& lengths, Offset cols, Random& random, bool whole = true) {
  HostCsr A;
  A.cols = cols;
  std::uniform_int_distribution<Index> column(0, static_cast<Index>(cols - 1));
  std::uniform_int_distribution<int> integer(1, (1 << 20) - 1);
  std::normal_distribution<double> normal;
  for (const Offset length : lengths) {
    for (Offset p = 0; p < length; ++p) {
      A.col_idx.push_back(column(random));
      A.values.push_back(whole ? integer(random) : normal(random));
    }
    A.row_ptr.push_back(static_cast<Offset>(A.values.size()));
  }
  return A;
}

inline HostCsr transpose_of(const HostCsr& A) {
  HostCsr T;
  T.cols = A.rows();
  std::vector<std::vector<std::pair<Index, double>>> columns(static_cast<size_t>(A.cols));
  for (Offset i = 0; i < A.rows(); ++i)
    for (auto p = static_cast<size_t>(A.row_ptr[i]); p < static_cast<size_t>(A.row_ptr[i + 1]); ++p)
      columns[static_cast<size_t>(A.col_idx[p])].emplace_back(static_cast<Index>(i), A.values[p]);
  for (const auto& column : columns) {
    for (const auto& [row, value] : column) {
      T.col_idx.push_back(row);
      T.values.push_back(value);
    }
    T.row_ptr.push_back(static_cast<Offset>(T.values.size()));
  }
  return T;
}

inline DeviceArray on_device(const std::vector<double>& host, std::vector<Offset> shape = {}) {
  if (shape.empty()) shape = {static_cast<Offset>(host.size())};
  DeviceArray array = empty(Dtype::kFloat64, shape);
  upload(array.data, host.data(), array.bytes());
  return array;
}

inline std::vector<double> on_host(const DeviceArray& array) {
  std::vector<double> host(static_cast<size_t>(array.size()));
  download(host.data(), array.data, array.bytes());
  return host;
}

template <class Random>
std::vector<double> normals(Offset n, Random& random) {
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<size_t>(n));
  for (double& value : values) value = normal(random);
  return values;
}

}  // namespace kantor::cuda::test
