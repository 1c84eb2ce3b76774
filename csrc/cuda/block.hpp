// One block of threads as a kernel body sees it. A body is written once, as a function of a Block: DeviceBlock runs
// it on the GPU, one thread an element; HostBlock runs it on the CPU, all threads of the block in turn, with the same
// shares for the same threads and the same order of additions, so that a test without a GPU covers the body.
//
// A body is a sequence of calls of three kinds, between which the block is in step:
//   each(visit)         visit(thread) for every thread
//   by_warp(share, use) join share(thread) over the lanes of a warp that serve the same column; the first Columns lanes
//                       of the warp get the result
//   by_block(share, use) the same over the whole block; the first Columns threads get the result
// No standard header is needed on the device, so a run-time compiler can read this file.
#pragma once

#include "../pointwise.hpp"
#include "../types.hpp"

#if defined(__CUDACC__)
#define KANTOR_TEAM __device__ __forceinline__
#define KANTOR_UNROLL _Pragma("unroll 4")
#else
#define KANTOR_TEAM inline
#define KANTOR_UNROLL
#endif

namespace kantor::cuda {

constexpr int kWarpLanes = 32;
constexpr int kBlockThreads = 256;
constexpr int kBlockWarps = kBlockThreads / kWarpLanes;
constexpr int kMostColumns = kWarpLanes;  // columns of a right-hand side that one block serves

// a b + c with one rounding, on the host as on the device.
KANTOR_HD inline double fused(double a, double b, double c) {
#if defined(__CUDACC_RTC__)
  return fma(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}

struct Sum {
  KANTOR_HD static double none() { return 0.0; }
  KANTOR_HD static double join(double a, double b) { return a + b; }
};

// For magnitudes; NaN if either is.
struct Largest {
  KANTOR_HD static double none() { return 0.0; }
  KANTOR_HD static double join(double a, double b) { return maximum(a, b); }
};

// ---- the reduction tree ------------------------------------------------------------------------------------------

// Lane l takes in lane l + offset for offset = 16, 8, ... down to Columns: lane c < Columns then holds the join of the
// lanes c, c + Columns, c + 2 Columns, ...; what the other lanes hold has no meaning.
template <class Join, int Columns, class Lanes>
KANTOR_TEAM void halve_warp(Lanes& lanes) {
  for (int offset = kWarpLanes / 2; offset >= Columns; offset /= 2) lanes.template take_in<Join>(offset);
}

// The warps' results, by halving.
template <class Join>
KANTOR_HD inline double halve_warps(double* values) {
  for (int half = kBlockWarps / 2; half > 0; half /= 2)
    for (int w = 0; w < half; ++w) values[w] = Join::join(values[w], values[w + half]);
  return values[0];
}

// ---- on the device -------------------------------------------------------------------------------------------------

#if defined(__CUDACC__)

struct DeviceLane {
  double value;

  template <class Join>
  __device__ __forceinline__ void take_in(int offset) {
    value = Join::join(value, __shfl_down_sync(0xffffffffu, value, offset));
  }
};

class DeviceBlock {
 public:
  __device__ __forceinline__ Offset x() const { return blockIdx.x; }
  __device__ __forceinline__ Offset y() const { return blockIdx.y; }
  __device__ __forceinline__ Offset z() const { return blockIdx.z; }

  template <class Visit>
  __device__ __forceinline__ void each(Visit visit) {
    visit(static_cast<int>(threadIdx.x));
  }

  template <class Join, int Columns, class Share, class Use>
  __device__ __forceinline__ void by_warp(Share share, Use use) {
    const int thread = static_cast<int>(threadIdx.x);
    DeviceLane lane{share(thread)};
    halve_warp<Join, Columns>(lane);
    if (thread % kWarpLanes < Columns) use(thread, lane.value);
  }

  template <class Join, int Columns, class Share, class Use>
  __device__ __forceinline__ void by_block(Share share, Use use) {
    __shared__ double held[Columns][kBlockWarps];
    const int thread = static_cast<int>(threadIdx.x);
    DeviceLane lane{share(thread)};
    halve_warp<Join, Columns>(lane);
    __syncthreads();  // an earlier call may still be reading `held`
    if (thread % kWarpLanes < Columns) held[thread % kWarpLanes][thread / kWarpLanes] = lane.value;
    __syncthreads();
    if (thread < Columns) {
      double values[kBlockWarps];
#pragma unroll
      for (int w = 0; w < kBlockWarps; ++w) values[w] = held[thread][w];
      use(thread, halve_warps<Join>(values));
    }
  }
};

#endif

// ---- on the host ---------------------------------------------------------------------------------------------------

#if !defined(__CUDACC_RTC__)

struct HostWarp {
  double value[kWarpLanes];

  // In rising order no lane has yet been overwritten when it is taken in: all lanes act at once, as on the device.
  template <class Join>
  void take_in(int offset) {
    for (int l = 0; l + offset < kWarpLanes; ++l) value[l] = Join::join(value[l], value[l + offset]);
  }
};

class HostBlock {
 public:
  HostBlock(Offset x, Offset y, Offset z) : x_(x), y_(y), z_(z) {}

  Offset x() const { return x_; }
  Offset y() const { return y_; }
  Offset z() const { return z_; }

  template <class Visit>
  void each(Visit visit) {
    for (int thread = 0; thread < kBlockThreads; ++thread) visit(thread);
  }

  template <class Join, int Columns, class Share, class Use>
  void by_warp(Share share, Use use) {
    HostWarp warp[kBlockWarps];
    halve<Join, Columns>(share, warp);
    for (int w = 0; w < kBlockWarps; ++w)
      for (int l = 0; l < Columns; ++l) use(w * kWarpLanes + l, warp[w].value[l]);
  }

  template <class Join, int Columns, class Share, class Use>
  void by_block(Share share, Use use) {
    HostWarp warp[kBlockWarps];
    halve<Join, Columns>(share, warp);
    for (int c = 0; c < Columns; ++c) {
      double values[kBlockWarps];
      for (int w = 0; w < kBlockWarps; ++w) values[w] = warp[w].value[c];
      use(c, halve_warps<Join>(values));
    }
  }

 private:
  // Every thread's share is taken before any result is used, as the barriers of the device ensure.
  template <class Join, int Columns, class Share>
  static void halve(Share& share, HostWarp* warp) {
    for (int w = 0; w < kBlockWarps; ++w) {
      for (int l = 0; l < kWarpLanes; ++l) warp[w].value[l] = share(w * kWarpLanes + l);
      halve_warp<Join, Columns>(warp[w]);
    }
  }

  Offset x_, y_, z_;
};

#endif

}  // namespace kantor::cuda
