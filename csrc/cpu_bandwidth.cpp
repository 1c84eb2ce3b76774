// The yardsticks of the kernel benchmark: what this machine's memory gives to plain streams.
#include <algorithm>
#include <chrono>
#include <limits>

#include "cpu_isa.hpp"
#include "error.hpp"
#include "kernels.hpp"
#include "parallel.hpp"

namespace kantor {
namespace {

// Best of `repeats` wall times of run(), in seconds; one run before the clock starts.
template <typename Run>
double best_seconds(int repeats, Run run) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  run();
  for (int r = 0; r < repeats; ++r) {
    const Clock::time_point start = Clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

void check_size(Offset n, int repeats) {
  KANTOR_REQUIRE(n >= 1 && repeats >= 1, "bandwidth: n and repeats must be at least 1");
}

}  // namespace

double triad_bandwidth(Offset n, int repeats) {
  check_size(n, repeats);
  std::vector<double> x(static_cast<size_t>(n)), y(static_cast<size_t>(n)), out(static_cast<size_t>(n));
  fill(1.0, x.data(), n);
  fill(2.0, y.data(), n);
  const double seconds = best_seconds(repeats, [&] {
    parallel_chunks(n, 1 << 16, 1, [&](Offset begin, Offset end) {
      for (Offset i = begin; i < end; ++i)
        out[static_cast<size_t>(i)] = 3.0 * x[static_cast<size_t>(i)] + y[static_cast<size_t>(i)];
    });
  });
  return 24.0 * static_cast<double>(n) / seconds;
}

double read_bandwidth(Offset n, int repeats) {
  check_size(n, repeats);
  std::vector<double> x(static_cast<size_t>(n));
  fill(1.0, x.data(), n);
  double sum = 0.0;
  const double seconds = best_seconds(repeats, [&] { dot({Operands{x.data(), x.data(), n}}, 1, &sum); });
  return 8.0 * static_cast<double>(n) / seconds;
}

double gather_seconds(Offset length, Offset reads, int repeats) {
  check_size(std::min(length, reads), repeats);
  KANTOR_REQUIRE(length <= INT32_MAX, "gather: a vector of fewer than 2^31 elements");
  Buffer<double> x(length), ones(reads);
  Buffer<Index> at(reads);
  fill(1.0, x.data(), length);
  fill(1.0, ones.data(), reads);
  uint64_t random = 1;
  for (Offset i = 0; i < reads; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;  // Knuth's multiplier
    at[i] = static_cast<Index>((random >> 33) * static_cast<uint64_t>(length) >> 31);
  }
  constexpr Offset kSpan = 1 << 14;
  std::vector<double> sums(static_cast<size_t>(reads / kSpan + 1));
  const double seconds = best_seconds(repeats, [&] {
    parallel_chunks(reads, kSpan, 1, [&](Offset begin, Offset end) {
      sums[static_cast<size_t>(begin / kSpan)] =
          matrix_loops<double>().span_sum(ones.data() + begin, at.data() + begin, end - begin, x.data());
    });
  });
  return seconds / static_cast<double>(reads);
}

}  // namespace kantor
