#include "device.hpp"
#include "stream.hpp"

namespace kantor::cuda {

namespace {

struct Context {
  cudaStream_t stream = nullptr;
  std::shared_ptr<void> scratch;
  Offset scratch_size = 0;
};

// Made on first use and never destroyed: at interpreter exit the driver may be gone before us.
Context& context() {
  static Context* const one = [] {
    const DeviceStatus status = device_status();
    if (status.count == 0) KANTOR_THROW(kRuntime, "CUDA: " + status.reason);
    auto made = std::make_unique<Context>();
    KANTOR_CUDA(cudaStreamCreate(&made->stream));
    return made.release();
  }();
  return *one;
}

// A destructor's call, whose failure nobody could act on: the next checked call reports what is wrong with the device.
void free_quietly(void* pointer) {
  cudaStreamSynchronize(context().stream);  // queued work may still use it
  cudaFree(pointer);
  cudaGetLastError();
}

}  // namespace

DeviceStatus device_status() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return {count, ""};
  cudaGetLastError();
  if (error == cudaSuccess || error == cudaErrorNoDevice) return {0, "no CUDA device is visible to the driver"};
  if (error == cudaErrorInsufficientDriver) {
    const int driver = driver_version();
    if (driver == 0) return {0, "no NVIDIA driver is installed"};
    return {0, "the driver supports CUDA " + std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10) +
                   ", older than the runtime's " + std::to_string(runtime_version() / 1000) + "." +
                   std::to_string(runtime_version() % 1000 / 10)};
  }
  return {0, std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error)};
}

std::string device_name() {
  int device = 0;
  KANTOR_CUDA(cudaGetDevice(&device));
  cudaDeviceProp properties;
  KANTOR_CUDA(cudaGetDeviceProperties(&properties, device));
  return std::string(properties.name) + " (sm_" + std::to_string(properties.major) + std::to_string(properties.minor) +
         ")";
}

int driver_version() {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

int runtime_version() {
  int version = 0;
  return cudaRuntimeGetVersion(&version) == cudaSuccess ? version : 0;
}

std::shared_ptr<void> allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  context();  // a clear error where there is no device
  void* pointer = nullptr;
  const cudaError_t error = cudaMalloc(&pointer, bytes);
  if (error == cudaErrorMemoryAllocation) {
    size_t available = 0, total = 0;
    cudaGetLastError();
    KANTOR_CUDA(cudaMemGetInfo(&available, &total));
    KANTOR_THROW(kRuntime, "CUDA: out of device memory: wanted " + std::to_string(bytes) + " bytes, " +
                               std::to_string(available) + " of " + std::to_string(total) + " are free");
  }
  KANTOR_CUDA(error);
  return std::shared_ptr<void>(pointer, free_quietly);
}

void upload(void* device, const void* host, size_t bytes) {
  if (bytes == 0) return;
  KANTOR_CUDA(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream()));
  synchronise();
}

void download(void* host, const void* device, size_t bytes) {
  if (bytes == 0) return;
  KANTOR_CUDA(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream()));
  synchronise();
}

void copy(void* to, const void* from, size_t bytes) {
  if (bytes == 0 || to == from) return;
  KANTOR_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()));
}

void set_zero(void* device, size_t bytes) {
  if (bytes > 0) KANTOR_CUDA(cudaMemsetAsync(device, 0, bytes, stream()));
}

void synchronise() { KANTOR_CUDA(cudaStreamSynchronize(stream())); }

std::uintptr_t stream_handle() { return reinterpret_cast<std::uintptr_t>(stream()); }

void wait_for_stream(std::uintptr_t other) {
  if (other == 0 || other == stream_handle()) return;
  cudaEvent_t event;
  KANTOR_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  const cudaError_t recorded = cudaEventRecord(event, reinterpret_cast<cudaStream_t>(other));
  const cudaError_t waited = recorded == cudaSuccess ? cudaStreamWaitEvent(stream(), event, 0) : recorded;
  KANTOR_CUDA(cudaEventDestroy(event));  // takes effect once the event has been reached
  KANTOR_CUDA(waited);
}

void require_device_pointer(const void* pointer) {
  int device = 0;
  KANTOR_CUDA(cudaGetDevice(&device));
  cudaPointerAttributes attributes;
  KANTOR_CUDA(cudaPointerGetAttributes(&attributes, pointer));
  KANTOR_REQUIRE(attributes.type != cudaMemoryTypeUnregistered && attributes.type != cudaMemoryTypeHost,
                 "array: its pointer is not to device memory");
  KANTOR_REQUIRE(attributes.device == device, "array: lives on device " + std::to_string(attributes.device) +
                                                  ", expected device " + std::to_string(device));
}

cudaStream_t stream() { return context().stream; }

double* scratch(Offset count) {
  Context& here = context();
  if (count > here.scratch_size) {
    here.scratch.reset();  // before the new one, so that both need not fit
    here.scratch_size = 0;
    here.scratch = allocate(static_cast<size_t>(count) * sizeof(double));
    here.scratch_size = count;
  }
  return static_cast<double*>(here.scratch.get());
}

}  // namespace kantor::cuda
