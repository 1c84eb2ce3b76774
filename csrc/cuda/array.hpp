// Arrays on the device: owned, or borrowed from another library together with a hold on their owner.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../error.hpp"
#include "../types.hpp"
#include "device.hpp"

namespace kantor::cuda {

enum class Dtype { kFloat64, kUint8, kInt32, kInt64 };

inline size_t item_size(Dtype dtype) { return dtype == Dtype::kUint8 ? 1 : dtype == Dtype::kInt32 ? 4 : 8; }

// numpy's name and the array interface's type string.
inline const char* dtype_name(Dtype dtype) {
  constexpr const char* names[] = {"float64", "uint8", "int32", "int64"};
  return names[static_cast<int>(dtype)];
}

inline const char* dtype_code(Dtype dtype) {
  constexpr const char* codes[] = {"<f8", "|u1", "<i4", "<i8"};
  return codes[static_cast<int>(dtype)];
}

// C-contiguous, of one or two dimensions: (n,) or (n, k).
struct DeviceArray {
  std::shared_ptr<void> memory;
  void* data = nullptr;
  Dtype dtype = Dtype::kFloat64;
  std::vector<Offset> shape;
  bool writable = true;

  Offset rows() const { return shape[0]; }
  Offset columns() const { return shape.size() == 2 ? shape[1] : 1; }
  Offset size() const { return rows() * columns(); }
  size_t bytes() const { return static_cast<size_t>(size()) * item_size(dtype); }

  const double* read(const char* name) const { return static_cast<const double*>(typed(Dtype::kFloat64, name)); }

  double* write(const char* name) {
    KANTOR_REQUIRE(writable, std::string(name) + ": is read-only");
    return static_cast<double*>(const_cast<void*>(typed(Dtype::kFloat64, name)));
  }

  const void* typed(Dtype wanted, const char* name) const {
    KANTOR_REQUIRE(dtype == wanted,
                   std::string(name) + ": dtype " + dtype_name(dtype) + ", expected " + dtype_name(wanted));
    return data;
  }
};

inline std::string shape_text(const std::vector<Offset>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

inline void require_shape(const char* name, const DeviceArray& array, const std::vector<Offset>& expected) {
  KANTOR_REQUIRE(array.shape == expected,
                 std::string(name) + ": shape " + shape_text(array.shape) + ", expected " + shape_text(expected));
}

// For outputs that are written while the input is still being read.
inline void require_apart(const char* name, const DeviceArray& a, const char* other, const DeviceArray& b) {
  const auto *begin = static_cast<const char*>(a.data), *start = static_cast<const char*>(b.data);
  KANTOR_REQUIRE(a.size() == 0 || b.size() == 0 || begin + a.bytes() <= start || start + b.bytes() <= begin,
                 std::string(name) + ": overlaps " + other);
}

// Uninitialised.
inline DeviceArray empty(Dtype dtype, const std::vector<Offset>& shape) {
  KANTOR_REQUIRE(shape.size() == 1 || shape.size() == 2,
                 "shape: " + shape_text(shape) + ", expected one or two dimensions");
  for (const Offset length : shape) KANTOR_REQUIRE(length >= 0, "shape: " + shape_text(shape) + " is negative");
  DeviceArray array;
  array.dtype = dtype;
  array.shape = shape;
  array.memory = allocate(array.bytes());
  array.data = array.memory.get();
  return array;
}

}  // namespace kantor::cuda
