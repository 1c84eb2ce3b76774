// Where large arrays come from. Freed ones are kept for a while, up to kMostKept, and given out again: a page that the
// system has to find and clear costs more than most kernels take to use it once, and where the system is a virtual
// machine that hands freed memory back to its host, twenty times more.
#pragma once

#include <cstddef>

namespace kantor {

constexpr size_t kHugePage = size_t{2} << 20, kCacheLine = 64;
constexpr size_t kMostKept = size_t{512} << 20;  // bytes

// Uninitialised memory of `bytes`, aligned to cache lines, or to huge pages, which the system is then asked for, where
// it is large. Throws std::bad_alloc. Memory that is kept and does not fit is returned to the system before any new one
// is taken, so keeping it never raises what a computation needs at most.
void* take_memory(size_t bytes);

// Gives back what take_memory(bytes) returned.
void give_memory(void* memory, size_t bytes) noexcept;

size_t kept_memory();  // bytes kept at the moment

}  // namespace kantor
