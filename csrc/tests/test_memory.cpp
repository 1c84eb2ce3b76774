// Large arrays: what is freed is given out again to who asks for as much, and to nobody while somebody has it.
#include <thread>

#include "buffer.hpp"
#include "cpu_check.hpp"

namespace kantor::test {
namespace {

constexpr Offset kLarge = Offset{1} << 20;  // doubles: 8 MiB

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif

void release_all() { Buffer<char> other(static_cast<Offset>(kMostKept) + 2 * static_cast<Offset>(kHugePage)); }

void test_reuse() {
  release_all();
  CHECK(kept_memory() == 0, "a request that nothing kept serves releases all of it");
  const double* first = nullptr;
  {
    Buffer<double> one(kLarge);
    first = one.data();
    Buffer<double> two(kLarge);
    CHECK(two.data() != first, "two arrays that are alive share nothing");
  }
  CHECK((kept_memory() >= 2 * kLarge * sizeof(double)) == kKeeps, "both are kept");
  {
    Buffer<double> again(kLarge + 1);  // of as many pages
    CHECK(!kKeeps || again.data() == first || kept_memory() < 2 * kLarge * sizeof(double), "kept memory is used");
  }
  Buffer<double> other(3 * kLarge);
  CHECK(kept_memory() == 0, "kept memory goes before any new one is taken");
}

void test_most_kept() {
  release_all();
  const Offset half = static_cast<Offset>(kMostKept / 2);
  {
    Buffer<char> one(half), two(half), three(half);
  }
  CHECK(kept_memory() <= kMostKept, "no more is kept than the limit");
  CHECK((kept_memory() > 0) == kKeeps, "but as much as fits");
  release_all();
  CHECK(kept_memory() == 0, "an array beyond the limit is not kept");
}

void test_small_and_moved() {
  release_all();
  {
    Buffer<double> small(100), empty(0), none;
    small[99] = 1.0;
  }
  CHECK(kept_memory() == 0, "small arrays are left to the allocator");
  Buffer<double> one(kLarge);
  one[kLarge - 1] = 2.0;
  Buffer<double> two = std::move(one);
  one = Buffer<double>();
  CHECK(two[kLarge - 1] == 2.0 && two.size() == kLarge, "what was moved away is not freed");
}

void test_threads() {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&wrong, t] {
      for (int turn = 0; turn < 50; ++turn) {
        Buffer<double> mine(kLarge / 2);
        const double mark = static_cast<double>(t) + 0.5 * turn;
        for (Offset i = 0; i < mine.size(); i += 512) mine[i] = mark;
        for (Offset i = 0; i < mine.size(); i += 512) wrong[t] += mine[i] != mark;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0), "no array is given to two threads at once");
}

}  // namespace
}  // namespace kantor::test

int main() {
  kantor::test::test_reuse();
  kantor::test::test_most_kept();
  kantor::test::test_small_and_moved();
  kantor::test::test_threads();
  return kantor::test::report("memory");
}
