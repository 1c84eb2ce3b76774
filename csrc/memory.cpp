#include "memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace kantor {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeeps = false;  // the sanitizer finds what is read after it was freed
#else
constexpr bool kKeeps = true;
#endif

struct Block {
  void* memory;
  size_t bytes;
};

class Kept {
 public:
  // A block of `bytes`, or nullptr; then all blocks are released.
  void* take(size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found =
        std::find_if(blocks_.begin(), blocks_.end(), [=](const Block& block) { return block.bytes == bytes; });
    if (found == blocks_.end()) {
      for (const Block& block : blocks_) std::free(block.memory);
      blocks_.clear();
      total_ = 0;
      return nullptr;
    }
    void* memory = found->memory;
    blocks_.erase(found);
    total_ -= bytes;
    return memory;
  }

  // Keeps the block, and lets the oldest ones go for it. False if it is too large or there is no room to note it.
  bool keep(const Block& block) noexcept {
    if (!kKeeps || block.bytes > kMostKept) return false;
    try {
      const std::lock_guard<std::mutex> lock(mutex_);
      blocks_.push_back(block);
      total_ += block.bytes;
      while (total_ > kMostKept) {
        total_ -= blocks_.front().bytes;
        std::free(blocks_.front().memory);
        blocks_.erase(blocks_.begin());
      }
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  size_t total() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return total_;
  }

 private:
  std::mutex mutex_;
  std::vector<Block> blocks_;  // the oldest first
  size_t total_ = 0;
};

// Never destroyed: arrays of static lifetime may be freed after it otherwise.
Kept& kept() {
  static Kept* const blocks = new Kept;
  return *blocks;
}

bool is_large(size_t bytes) { return bytes >= 2 * kHugePage; }

// Sizes that differ by less than a huge page are one, so tables that differ by a few entries share memory.
size_t rounded(size_t bytes) {
  const size_t alignment = is_large(bytes) ? kHugePage : kCacheLine;
  return (bytes / alignment + 1) * alignment;
}

}  // namespace

void* take_memory(size_t bytes) {
  const size_t size = rounded(bytes);
  const bool large = is_large(bytes);
  if (large) {
    if (void* memory = kept().take(size); memory != nullptr) return memory;
  }
  void* memory = std::aligned_alloc(large ? kHugePage : kCacheLine, size);
  if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (large) madvise(memory, size, MADV_HUGEPAGE);  // advice: it may be refused
#endif
  return memory;
}

void give_memory(void* memory, size_t bytes) noexcept {
  if (memory == nullptr) return;
  if (!is_large(bytes) || !kept().keep({memory, rounded(bytes)})) std::free(memory);
}

size_t kept_memory() { return kept().total(); }

}  // namespace kantor
