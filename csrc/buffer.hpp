// A large uninitialised array. Its pages are asked to be huge where the system offers that: the kernels read arrays far
// larger than the reach of small pages. Whoever writes an element first decides which memory it lands in.
#pragma once

#include <memory>

#include "memory.hpp"
#include "types.hpp"

namespace kantor {

template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Offset size) : size_(size) {
    const size_t bytes = static_cast<size_t>(size) * sizeof(T);
    data_ = std::unique_ptr<T[], Give>(static_cast<T*>(take_memory(bytes)), Give{bytes});
  }

  Offset size() const { return size_; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](Offset i) { return data_.get()[i]; }
  const T& operator[](Offset i) const { return data_.get()[i]; }

 private:
  struct Give {
    size_t bytes = 0;
    void operator()(T* memory) const noexcept { give_memory(memory, bytes); }
  };
  std::unique_ptr<T[], Give> data_;
  Offset size_ = 0;
};

}  // namespace kantor
