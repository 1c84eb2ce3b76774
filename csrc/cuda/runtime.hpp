// The CUDA runtime, checked: every call goes through KANTOR_CUDA, every kernel through launch(). With
// KANTOR_EMULATE_CUDA and a plain C++ compiler host_runtime.hpp stands in for the runtime, so that a test runs all of
// csrc/cuda on the CPU. Only .cu files include this header; what they offer to others is free of CUDA's types.
#pragma once

#include <string>

#include "../error.hpp"
#include "block.hpp"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#elif defined(KANTOR_EMULATE_CUDA)
#include "host_runtime.hpp"
#else
#error "compile with nvcc, or define KANTOR_EMULATE_CUDA for the tests without a GPU"
#endif

namespace kantor::cuda {

[[noreturn]] inline void fail(cudaError_t error, const char* call, const char* file, int line) {
  cudaGetLastError();  // a non-sticky error must not resurface at the next launch
  throw Error(ErrorCode::kRuntime,
              std::string("CUDA: ") + call + ": " + cudaGetErrorName(error) + ", " + cudaGetErrorString(error), file,
              line);
}

// The call as written, cut at its argument list: the name is what a reader looks up.
#define KANTOR_CUDA(call)                                                                           \
  do {                                                                                              \
    const cudaError_t kantor_error = (call);                                                        \
    if (kantor_error != cudaSuccess) ::kantor::cuda::fail(kantor_error, #call, __FILE__, __LINE__); \
  } while (false)

struct Grid {
  Offset x = 1;
  Offset y = 1;
  Offset z = 1;
};

// The hardware's limits on a grid: 2^31 - 1 blocks in x, 65535 in y and z.
inline void check_grid(const Grid& grid) {
  KANTOR_REQUIRE(grid.x <= 2147483647 && grid.y <= 65535 && grid.z <= 65535,
                 "array: too large for one launch (" + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
                     std::to_string(grid.z) + " blocks)");
}

#if defined(__CUDACC__)

template <class Body>
__global__ void __launch_bounds__(kBlockThreads) run_body(const __grid_constant__ Body body) {
  DeviceBlock block;
  body(block);
}

template <class Body>
void launch(const Grid& grid, cudaStream_t stream, const Body& body) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  check_grid(grid);
  const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z));
  run_body<<<blocks, kBlockThreads, 0, stream>>>(body);
  KANTOR_CUDA(cudaGetLastError());
}

#else

template <class Body>
void launch(const Grid& grid, cudaStream_t stream, const Body& body) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  check_grid(grid);
  host::enqueue(stream, [grid, body] {
    for (Offset z = 0; z < grid.z; ++z)
      for (Offset y = 0; y < grid.y; ++y)
        for (Offset x = 0; x < grid.x; ++x) {
          HostBlock block(x, y, z);
          body(block);
        }
  });
}

#endif

}  // namespace kantor::cuda
