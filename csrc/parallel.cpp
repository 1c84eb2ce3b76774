#include "parallel.hpp"

#include <string>

#include "error.hpp"

namespace kantor {
namespace {

int default_threads() {
#if defined(_OPENMP)
  return omp_get_max_threads();
#else
  const unsigned n = std::thread::hardware_concurrency();
  return n == 0 ? 1 : static_cast<int>(n);
#endif
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count(default_threads());
  return count;
}

}  // namespace

int num_threads() { return thread_count().load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  KANTOR_REQUIRE(n >= 1, "threads: got " + std::to_string(n) + ", expected at least 1");
  thread_count().store(n, std::memory_order_relaxed);
}

const char* parallel_layer() {
#if defined(_OPENMP)
  return "OpenMP";
#else
  return "std::thread";
#endif
}

}  // namespace kantor
