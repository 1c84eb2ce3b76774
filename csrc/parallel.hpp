// The parallel layer: a team of threads, a barrier, and tasks handed out so that a delayed thread does not delay all.
// OpenMP where the build has it; std::thread elsewhere and under ThreadSanitizer, which does not understand libgomp.
// Nothing a kernel computes depends on the number of threads or on who runs which task.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "types.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace kantor {

int num_threads();            // how many threads a region may use, >= 1
void set_num_threads(int n);  // throws Error unless n >= 1
const char* parallel_layer();

// Waits by looking, a few microseconds long, and then by giving the processor away: where other work fills the machine,
// the thread that is waited for needs the very processor that a waiting thread would spin on.
class Barrier {
 public:
  void wait(int members) {
    const int64_t round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int looks = 0; round_.load(std::memory_order_acquire) == round;) {
      if (looks < kLooks)
        ++looks;
      else
        std::this_thread::yield();
    }
  }

 private:
  static constexpr int kLooks = 4096;

  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int64_t> round_{0};
};

// What a thread inside a region knows about itself.
class Team {
 public:
  Team(int rank, int size, Barrier* barrier) : rank_(rank), size_(size), barrier_(barrier) {}

  int rank() const { return rank_; }
  int size() const { return size_; }

  void barrier() {
    if (size_ > 1) barrier_->wait(size_);
  }

 private:
  int rank_;
  int size_;
  Barrier* barrier_;
};

// Runs body(team) on up to `threads` threads. The body must not throw and must reach every barrier on every thread.
template <typename Body>
void parallel_region(int threads, Body&& body) {
  if (threads <= 1) {
    Team alone(0, 1, nullptr);
    body(alone);
    return;
  }
  Barrier barrier;
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads)
  {
    Team team(omp_get_thread_num(), omp_get_num_threads(), &barrier);
    body(team);
  }
#else
  auto member = [&](int rank) {
    Team team(rank, threads, &barrier);
    body(team);
  };
  std::vector<std::thread> others;
  for (int rank = 1; rank < threads; ++rank) others.emplace_back(member, rank);
  member(0);
  for (std::thread& other : others) other.join();
#endif
}

// Hands out the tasks 0 .. tasks-1 of a phase. Every thread starts in its own contiguous share, so that it meets the
// same memory in every phase, and helps the others when it is done. Phases are numbered 0, 1, 2, ... and separated by
// barriers; two sets of counters alternate, so that one can be reset while the other is in use.
class Dispenser {
 public:
  Dispenser(Offset tasks, int threads) : tasks_(tasks), shares_(static_cast<size_t>(threads)) {}

  template <typename Body>
  void run(const Team& team, int64_t phase, Body&& body) {
    const int shares = static_cast<int>(shares_.size());
    const int now = static_cast<int>(phase & 1);
    for (int s = team.rank(); s < shares; s += team.size())
      shares_[s].next[1 - now].store(0, std::memory_order_relaxed);
    for (int i = 0; i < shares; ++i) {
      const int s = (team.rank() + i) % shares;
      const Offset begin = tasks_ * s / shares, end = tasks_ * (s + 1) / shares;
      while (true) {
        const Offset task = begin + shares_[s].next[now].fetch_add(1, std::memory_order_relaxed);
        if (task >= end) break;
        body(task);
      }
    }
  }

 private:
  struct alignas(64) Share {
    std::atomic<Offset> next[2] = {{0}, {0}};
  };
  Offset tasks_;
  std::vector<Share> shares_;
};

// Units of work (nonzeros or elements of a memory-bound loop) from which a thread is worth having: some 0.1 ms of a
// kernel by itself, which has to wake the others from their sleep, and half of that within a block of iterations, where
// they are awake and meet at barriers.
constexpr Offset kWorthWaking = 1 << 17;
constexpr Offset kWorthMeeting = 1 << 16;

// Threads worth using for `work` units.
inline int threads_for(Offset work, Offset worth = kWorthWaking) {
  const Offset useful = work / worth;
  const Offset most = num_threads();
  return static_cast<int>(useful < 1 ? 1 : (useful < most ? useful : most));
}

// body(begin, end) over [0, n) in pieces of `grain`, in parallel when n is worth it.
template <typename Body>
void parallel_chunks(Offset n, Offset grain, Offset work_per_element, Body&& body) {
  const Offset chunks = (n + grain - 1) / grain;
  const Offset limit = chunks < 1 ? 1 : chunks;
  const Offset wanted = threads_for(n * work_per_element);
  const int threads = static_cast<int>(wanted < limit ? wanted : limit);
  if (threads == 1) {
    for (Offset c = 0; c < chunks; ++c) body(c * grain, (c + 1) * grain < n ? (c + 1) * grain : n);
    return;
  }
  Dispenser dispenser(chunks, threads);
  parallel_region(threads, [&](Team& team) {
    dispenser.run(team, 0, [&](Offset c) { body(c * grain, (c + 1) * grain < n ? (c + 1) * grain : n); });
  });
}

}  // namespace kantor
