// Elementwise kernels and deterministic reductions on device arrays (kantor.backends.protocol). Every call checks
// shapes and types first and throws kInvalidArgument; none waits for the device except dot and norm, which return
// numbers.
#pragma once

#include <utility>
#include <vector>

#include "array.hpp"

namespace kantor::cuda {

struct Terms {
  DeviceArray kind, a, b, e;
};

// out <- source.
void copy_array(const DeviceArray& source, DeviceArray& out);

// y <- a x + b y; with b == 0 the old y is not read. One weight, or one a column of (n, k) arrays.
void axpby(const std::vector<double>& a, const DeviceArray& x, const std::vector<double>& b, DeviceArray& y);

// out <- x y, elementwise.
void multiply(const DeviceArray& x, const DeviceArray& y, DeviceArray& out);

// out <- min(max(x, lower), upper); out may be x.
void clip(const DeviceArray& x, const DeviceArray& lower, const DeviceArray& upper, DeviceArray& out);

// out_j <- the unbounded proximal map of term j at v_j; out may be v.
void prox(const Terms& terms, double tau, const DeviceArray& v, DeviceArray& out);

using Pairs = std::vector<std::pair<DeviceArray, DeviceArray>>;

// x.y of each pair by column: (pairs, k) row-major. All arrays have the same k.
std::vector<double> dot(const Pairs& pairs);

// The largest magnitude of each x (y is not read) by column; NaN if any entry is.
std::vector<double> largest_magnitude(const Pairs& pairs);

}  // namespace kantor::cuda
