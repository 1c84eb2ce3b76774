// Sparse matrices on the device and their products with dense columns.
#pragma once

#include <memory>

#include "array.hpp"
#include "product_body.hpp"

namespace kantor::cuda {

// Value is double or float (product_body.hpp).
template <class Value>
class DeviceCsr {
 public:
  // Copies a matrix from the host: row_ptr (rows + 1) from 0 and never falling, col_idx (nnz) within [0, cols).
  DeviceCsr(const CsrView<Value>& host, const BucketLimits& limits);

  Offset rows() const { return view_.matrix.rows; }
  Offset cols() const { return view_.matrix.cols; }
  Offset nnz() const { return nnz_; }
  Offset bucket_size(Bucket bucket) const { return view_.rows.size(bucket); }

  const BucketedCsr<Value>& view() const { return view_; }

  // Room for the partial sums of giant rows, one column; fixed, so that a recorded graph may refer to it.
  double* partials() const { return static_cast<double*>(partials_.get()); }

 private:
  BucketedCsr<Value> view_;
  Offset nnz_ = 0;
  std::shared_ptr<void> row_ptr_, col_idx_, values_, order_, giant_first_, segment_owner_, partials_;
};

// out <- A x; x (cols,) or (cols, k), out (rows,) or (rows, k), not overlapping.
template <class Value>
void multiply(const DeviceCsr<Value>& A, const DeviceArray& x, DeviceArray& out);

}  // namespace kantor::cuda
