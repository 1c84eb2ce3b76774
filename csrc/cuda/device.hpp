// The device, its one stream and its memory, without CUDA's own types: includable from plain C++.
//
// One stream serves everything. It is an ordinary (blocking) stream, so it is ordered with the legacy default stream
// that CuPy and others use unless told otherwise. Every function may throw kantor::Error (kRuntime).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace kantor::cuda {

struct DeviceStatus {
  int count = 0;
  std::string reason;  // why count is 0, in words
};

// Never throws, whatever is or is not installed.
DeviceStatus device_status();

std::string device_name();

// As CUDA counts: 13000 is 13.0; 0 where there is no driver.
int driver_version();
int runtime_version();

// Device memory, freed with its last owner; null for 0 bytes. The error of a failed allocation names both sizes.
std::shared_ptr<void> allocate(size_t bytes);

// In stream order; the host side of upload and download is free for use when they return.
void upload(void* device, const void* host, size_t bytes);
void download(void* host, const void* device, size_t bytes);
void copy(void* to, const void* from, size_t bytes);
void set_zero(void* device, size_t bytes);

// Wait until all queued work is done; reports what went wrong in it.
void synchronise();

// The stream, as __cuda_array_interface__ and __cuda_stream__ want it.
std::uintptr_t stream_handle();

// Work queued from here on starts after what has been queued on another stream (1: legacy default, 2: per-thread
// default).
void wait_for_stream(std::uintptr_t other);

// Throws kInvalidArgument unless the pointer is to memory of this device.
void require_device_pointer(const void* pointer);

}  // namespace kantor::cuda
