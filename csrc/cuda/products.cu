#include "product_launch.hpp"
#include "products.hpp"

namespace kantor::cuda {

namespace {

// On the device a bad index is a fault in some later call, or a wrong sum; here it is a sentence.
template <class Value>
void check(const CsrView<Value>& host) {
  constexpr Offset kMost = 2147483647;
  KANTOR_REQUIRE(host.rows <= kMost && host.cols <= kMost,
                 "matrix: " + std::to_string(host.rows) + " x " + std::to_string(host.cols) +
                     ", expected fewer than 2^31 rows and columns on one device");
  KANTOR_REQUIRE(host.row_ptr[0] == 0, "matrix: row_ptr starts at " + std::to_string(host.row_ptr[0]) + ", expected 0");
  for (Offset i = 0; i < host.rows; ++i) {
    KANTOR_REQUIRE(host.row_ptr[i] <= host.row_ptr[i + 1], "matrix: row_ptr falls at row " + std::to_string(i));
  }
  const Offset nnz = host.nnz();
  for (Offset p = 0; p < nnz; ++p) {
    KANTOR_REQUIRE(host.col_idx[p] >= 0 && host.col_idx[p] < host.cols,
                   "matrix: nonzero " + std::to_string(p) + " has column " + std::to_string(host.col_idx[p]) +
                       ", expected 0 .. " + std::to_string(host.cols - 1));
  }
}

template <class T>
const T* put(std::shared_ptr<void>& memory, const T* host, size_t count) {
  memory = allocate(count * sizeof(T));
  upload(memory.get(), host, count * sizeof(T));
  return static_cast<const T*>(memory.get());
}

template <int Columns, class Value>
void multiply_columns(const DeviceCsr<Value>& A, const double* x, Offset k, double* partials, double* out) {
  if constexpr (Columns < kMostColumns) {
    if (tile_columns(k) > Columns) return multiply_columns<2 * Columns>(A, x, k, partials, out);
  }
  launch_product<Columns>(A.view(), x, k, partials, StoreSum{out, k});
}

}  // namespace

template <class Value>
DeviceCsr<Value>::DeviceCsr(const CsrView<Value>& host, const BucketLimits& limits) : nnz_(host.nnz()) {
  check(host);
  const BuiltBuckets built = build_buckets(host.row_ptr, host.rows, limits);
  const auto nnz = static_cast<size_t>(nnz_);
  view_.matrix.rows = host.rows;
  view_.matrix.cols = host.cols;
  view_.matrix.row_ptr = put(row_ptr_, host.row_ptr, static_cast<size_t>(host.rows) + 1);
  view_.matrix.col_idx = put(col_idx_, host.col_idx, nnz);
  view_.matrix.values = put(values_, host.values, nnz);
  view_.rows = built.view;
  view_.rows.order = put(order_, built.order.data(), built.order.size());
  view_.rows.giant_first = put(giant_first_, built.giant_first.data(), built.giant_first.size());
  view_.rows.segment_owner = put(segment_owner_, built.segment_owner.data(), built.segment_owner.size());
  view_.segments = built.segments();
  partials_ = allocate(static_cast<size_t>(view_.segments) * sizeof(double));
}

template <class Value>
void multiply(const DeviceCsr<Value>& A, const DeviceArray& x, DeviceArray& out) {
  std::vector<Offset> x_shape = x.shape, out_shape = x.shape;
  x_shape[0] = A.cols();
  out_shape[0] = A.rows();
  require_shape("x", x, x_shape);
  require_shape("out", out, out_shape);
  const Offset k = x.columns();
  const double* from = x.read("x");
  double* to = out.write("out");
  require_apart("out", out, "x", x);
  if (k == 0) return;
  double* partials = k == 1 || A.view().segments == 0 ? A.partials() : scratch(A.view().segments * k);
  multiply_columns<1>(A, from, k, partials, to);
}

template class DeviceCsr<double>;
template class DeviceCsr<float>;
template void multiply(const DeviceCsr<double>& A, const DeviceArray& x, DeviceArray& out);
template void multiply(const DeviceCsr<float>& A, const DeviceArray& x, DeviceArray& out);

}  // namespace kantor::cuda
