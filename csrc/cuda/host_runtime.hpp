// The part of the CUDA runtime that kantor uses, on the CPU: memory is malloc's, a stream runs its work at once, a
// graph is a list of recorded work. For tests only: with it everything but the hardware (buffers, launches, grids,
// graph recording and replay, bindings) runs and is checked on a machine without a GPU. Errors can be planted.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

using cudaError_t = int;
enum : cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaMemoryType { cudaMemoryTypeUnregistered = 0, cudaMemoryTypeHost = 1, cudaMemoryTypeDevice = 2 };

namespace kantor::cuda::host {

using Work = std::function<void()>;
using WorkList = std::vector<Work>;

struct Stream {
  bool capturing = false;
  WorkList recorded;
};

// What the machine pretends to be; a test sets it.
struct Machine {
  int devices = 1;
  cudaError_t next_error = cudaSuccess;  // returned once by the next call that can fail
  long allocations = 0;                  // live blocks of memory
};

inline Machine& machine() {
  static Machine one;
  return one;
}

inline cudaError_t take_error() {
  const cudaError_t error = machine().next_error;
  machine().next_error = cudaSuccess;
  return error;
}

inline void enqueue(Stream* stream, Work work) {
  if (stream->capturing) {
    stream->recorded.push_back(std::move(work));
  } else {
    work();
  }
}

}  // namespace kantor::cuda::host

using cudaStream_t = kantor::cuda::host::Stream*;
using cudaGraph_t = kantor::cuda::host::WorkList*;
using cudaGraphExec_t = kantor::cuda::host::WorkList*;
using cudaEvent_t = void*;

struct cudaDeviceProp {
  char name[256] = "host emulation";
  int major = 0;
  int minor = 0;
};

struct cudaPointerAttributes {
  cudaMemoryType type = cudaMemoryTypeDevice;
  int device = 0;
};

inline cudaError_t cudaGetLastError() { return cudaSuccess; }

inline const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaError";
}

inline const char* cudaGetErrorString(cudaError_t) { return "planted by a test"; }

inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = kantor::cuda::host::machine().devices;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = cudaDeviceProp{};
  return cudaSuccess;
}

inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

inline cudaError_t cudaDriverGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}

inline cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}

inline cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  const cudaError_t error = kantor::cuda::host::take_error();
  if (error != cudaSuccess) return error;
  *pointer = std::malloc(bytes);
  ++kantor::cuda::host::machine().allocations;
  return *pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

inline cudaError_t cudaFree(void* pointer) {
  std::free(pointer);
  --kantor::cuda::host::machine().allocations;
  return cudaSuccess;
}

inline cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  *available = *total = 0;
  return cudaSuccess;
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  const cudaError_t error = kantor::cuda::host::take_error();
  if (error != cudaSuccess) return error;
  kantor::cuda::host::enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

inline cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  kantor::cuda::host::enqueue(stream, [=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}

inline cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void*) {
  *attributes = cudaPointerAttributes{};
  return cudaSuccess;
}

inline cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = new kantor::cuda::host::Stream;
  return cudaSuccess;
}

inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return kantor::cuda::host::take_error(); }

inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->capturing = true;
  return cudaSuccess;
}

inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  stream->capturing = false;
  *graph = new kantor::cuda::host::WorkList(std::move(stream->recorded));
  stream->recorded.clear();
  return cudaSuccess;
}

inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  const cudaError_t error = kantor::cuda::host::take_error();
  if (error != cudaSuccess) return error;
  *exec = new kantor::cuda::host::WorkList(*graph);
  return cudaSuccess;
}

inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  for (const auto& work : *exec) kantor::cuda::host::enqueue(stream, work);
  return cudaSuccess;
}

inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}

inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = nullptr;
  return cudaSuccess;
}

constexpr unsigned cudaEventDisableTiming = 2;

inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
