// A large uninitialised array. Its pages are asked to be huge where the system offers that: the kernels read arrays far
// larger than the reach of small pages. Whoever writes an element first decides which memory it lands in.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "types.hpp"

namespace kantor {

template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Offset size) : size_(size) {
    constexpr size_t kHugePage = size_t{2} << 20, kCacheLine = 64;
    const size_t bytes = static_cast<size_t>(size) * sizeof(T);
    const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
    const size_t rounded = (bytes / alignment + 1) * alignment;
    void* memory = std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);  // advice: it may be refused
#endif
    data_.reset(static_cast<T*>(memory));
  }

  Offset size() const { return size_; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](Offset i) { return data_.get()[i]; }
  const T& operator[](Offset i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  std::unique_ptr<T[], Free> data_;
  Offset size_ = 0;
};

}  // namespace kantor
