// Index and value types, the sparse-matrix view, and the host-device prefix shared by every kernel.
#pragma once

// A run-time compiler of device code (NVRTC) has no standard headers but declares the math functions itself.
#if defined(__CUDACC_RTC__)
using int32_t = int;
using int64_t = long long;
using uint8_t = unsigned char;
#else
#include <cmath>
#include <cstdint>
#endif

// On the host always_inline keeps these functions out of the symbol table: the hot file is compiled several times for
// different instruction sets, and the linker must never pick the AVX copy of a function for everybody.
#if defined(__CUDACC__)
#define KANTOR_HD __host__ __device__
#elif defined(__GNUC__)
#define KANTOR_HD __attribute__((always_inline))
#else
#define KANTOR_HD
#endif

namespace kantor {

// Columns of one matrix fit in 32 bits; the number of nonzeros need not.
using Index = int32_t;
using Offset = int64_t;

// Compressed sparse rows; the memory belongs to somebody else. Value is double or float; sums are always double.
template <typename Value>
struct CsrView {
  Offset rows = 0;
  Offset cols = 0;
  const Offset* row_ptr = nullptr;  // (rows + 1), row_ptr[0] == 0
  const Index* col_idx = nullptr;   // (row_ptr[rows])
  const Value* values = nullptr;    // (row_ptr[rows])

  KANTOR_HD Offset nnz() const { return rows == 0 ? 0 : row_ptr[rows]; }
};

}  // namespace kantor
