// Which blocks of iterations are worth a CUDA graph, and which graph to replay: bookkeeping only, no CUDA.
//
// A block of n iterations is launched directly the first time n is asked for, recorded and replayed the second time,
// and replayed from then on: solvers ask for the same n hundreds of times, and recording a block that is run once costs
// more than it saves. Step sizes and the iteration counter live in device memory, so a graph outlives changes of
// either; it does not outlive its buffers, so a change of any address or size forgets every graph.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "../types.hpp"

namespace kantor::cuda {

constexpr size_t kKeptGraphs = 4;  // the least recently used goes first

template <class Graph>
class BlockGraphs {
 public:
  using Fingerprint = std::vector<std::uintptr_t>;

  // direct(n) launches n iterations; record(n) returns a Graph of them; replay(graph) launches that.
  template <class Direct, class Record, class Replay>
  void run(const Fingerprint& buffers, Offset iterations, Direct direct, Record record, Replay replay) {
    if (buffers != buffers_) {
      kept_.clear();
      seen_.clear();
      buffers_ = buffers;
    }
    auto at = std::find_if(kept_.begin(), kept_.end(), [&](const Entry& entry) { return entry.first == iterations; });
    if (at == kept_.end()) {
      if (!seen_before(iterations)) return direct(iterations);
      if (kept_.size() == kKeptGraphs) kept_.erase(kept_.begin());
      kept_.emplace_back(iterations, record(iterations));
      at = kept_.end() - 1;
    }
    std::rotate(at, at + 1, kept_.end());  // the most recently used is last
    replay(kept_.back().second);
  }

  size_t kept() const { return kept_.size(); }

 private:
  using Entry = std::pair<Offset, Graph>;

  // One iteration is two launches: a graph would save nothing.
  bool seen_before(Offset iterations) {
    if (iterations < 2) return false;
    if (std::find(seen_.begin(), seen_.end(), iterations) != seen_.end()) return true;
    if (seen_.size() == 4 * kKeptGraphs) seen_.erase(seen_.begin());
    seen_.push_back(iterations);
    return false;
  }

  Fingerprint buffers_;
  std::vector<Entry> kept_;
  std::vector<Offset> seen_;
};

}  // namespace kantor::cuda
