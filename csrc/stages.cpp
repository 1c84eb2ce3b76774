#include "stages.hpp"

#include <algorithm>
#include <vector>

#include "cpu_isa.hpp"
#include "error.hpp"
#include "parallel.hpp"
#include "reduce.hpp"

namespace kantor {
namespace {

constexpr Offset kStageChunk = Offset{1} << kLeastStageBits;  // rows whose changes are added up in one go
constexpr Offset kLeastRows = Offset{1} << 18;  // shorter vectors stay in the second-level cache as they are
constexpr Offset kStages = 16;                  // about as many: fewer read less of x, more use news sooner
constexpr Offset kTasks = 16;                   // of a stage at least, to share them out evenly
constexpr int kCounters = 4;                    // sets of counters: entries of one window follow each other

struct Rows {
  Offset begin;
  Offset end;
};

Rows stage_rows(const Stages& A, Offset stage) {
  return Rows{stage << A.bits, std::min((stage + 1) << A.bits, A.rows)};
}

Rows task_rows(const Stages& A, Offset stage, Offset task) {
  const Rows all = stage_rows(A, stage);
  const Offset begin = std::min(all.begin + task * A.task_rows, all.end);
  return Rows{begin, std::min(begin + A.task_rows, all.end)};
}

// counts (windows) <- entries of the rows by window.
void count_entries(const CsrView<double>& A, const Rows& rows, int bits, Offset windows, std::vector<Offset>& counters,
                   Offset* counts) {
  std::fill(counters.begin(), counters.end(), 0);
  const Offset end = A.row_ptr[rows.end];
  Offset i = A.row_ptr[rows.begin];
  for (; i + kCounters <= end; i += kCounters)
    for (int l = 0; l < kCounters; ++l) ++counters[static_cast<size_t>(l * windows + (A.col_idx[i + l] >> bits))];
  for (; i < end; ++i) ++counters[static_cast<size_t>(A.col_idx[i] >> bits)];
  for (Offset w = 0; w < windows; ++w) {
    counts[w] = 0;
    for (int l = 0; l < kCounters; ++l) counts[w] += counters[static_cast<size_t>(l * windows + w)];
  }
}

void place_entries(const CsrView<double>& A, const Rows& rows, int bits, std::vector<StageEntry*>& next) {
  const uint32_t within = (uint32_t{1} << bits) - 1;  // bits: of a window
  for (Offset row = rows.begin; row < rows.end; ++row) {
    const uint32_t local = static_cast<uint32_t>(row - rows.begin) << 16;
    for (Offset i = A.row_ptr[row]; i < A.row_ptr[row + 1]; ++i) {
      const uint32_t column = static_cast<uint32_t>(A.col_idx[i]);
      *next[column >> bits]++ = StageEntry{local | (column & within), static_cast<float>(A.values[i])};
    }
  }
}

// One sweep in progress: what a team of threads does, stage by stage.
class Sweep {
 public:
  Sweep(const Stages& A, const double* d, float* x, Offset inner, int threads)
      : A_(A),
        d_(d),
        x_(x),
        inner_(inner),
        others_(Offset{1} << A.bits),
        sums_(Offset{1} << A.bits),
        next_(Offset{1} << A.bits),
        changes_(static_cast<size_t>((A.rows + kStageChunk - 1) / kStageChunk), 0.0),
        dispenser_(A.tasks, threads) {}

  void run(Team& team) {
    int64_t phase = 0;
    const auto each_task = [&](Offset stage, auto body) {
      dispenser_.run(team, phase++, [&](Offset task) { body(task, task_rows(A_, stage, task)); });
      team.barrier();
    };
    for (Offset stage = 0; stage < A_.count; ++stage) {
      const Offset first = stage << A_.bits;
      float *from = x_ + first, *to = next_.data();
      each_task(stage, [&](Offset task, const Rows& rows) { gather(stage, task, rows); });
      for (Offset turn = 0; turn < inner_; ++turn, std::swap(from, to))
        each_task(stage, [&](Offset task, const Rows& rows) {
          const Offset at = rows.begin - first, n = rows.end - rows.begin;
          std::copy_n(others_.data() + at, n, sums_.data() + at);
          add(stage, task, own_windows(stage).begin, own_windows(stage).end, from - first, sums_.data() + at);
          std::transform(sums_.data() + at, sums_.data() + at + n, to + at,
                         [](double v) { return static_cast<float>(v); });
          if (turn == 0) note_change(rows, from + at, to + at);
        });
      if (from != x_ + first)
        each_task(stage, [&](Offset, const Rows& rows) {
          std::copy(from + (rows.begin - first), from + (rows.end - first), x_ + rows.begin);
        });
    }
  }

  double change() { return halving_sum(changes_.data(), static_cast<Offset>(changes_.size())); }

 private:
  // What the rows need of all other stages, and d.
  void gather(Offset stage, Offset task, const Rows& rows) {
    double* sums = others_.data() + (rows.begin - (stage << A_.bits));
    std::copy(d_ + rows.begin, d_ + rows.end, sums);
    add(stage, task, 0, own_windows(stage).begin, x_, sums);
    add(stage, task, own_windows(stage).end, A_.windows, x_, sums);
  }

  // Windows of the columns that are rows of the stage.
  Rows own_windows(Offset stage) const {
    const int shift = A_.bits - A_.window_bits;
    return Rows{stage << shift, std::min((stage + 1) << shift, A_.windows)};
  }

  // sums <- sums + what the rows of the task need of some windows; x: value of the first column of all.
  void add(Offset stage, Offset task, Offset first, Offset last, const float* x, double* sums) const {
    const Offset* start = A_.start.data() + (stage * A_.tasks + task) * A_.windows;
    for (Offset w = first; w < last; ++w)
      isa().stage_sums(A_.entries.data() + start[w], start[w + 1] - start[w], x + (w << A_.window_bits), sums);
  }

  void note_change(const Rows& rows, const float* from, const float* to) {
    for (Offset at = rows.begin; at < rows.end; at += kStageChunk) {
      const float *a = from + (at - rows.begin), *b = to + (at - rows.begin);
      changes_[static_cast<size_t>(at / kStageChunk)] =
          lane_sum<kReduceLanes>(std::min(kStageChunk, rows.end - at), [=](Offset i) {
            const double change = static_cast<double>(b[i]) - static_cast<double>(a[i]);
            return change * change;
          });
    }
  }

  const Stages& A_;
  const double* d_;
  float* x_;
  Offset inner_;
  Buffer<double> others_, sums_;
  Buffer<float> next_;
  std::vector<double> changes_;
  Dispenser dispenser_;
};

}  // namespace

int stage_bits(const CsrView<double>& A) {
  if (A.rows != A.cols || A.rows < kLeastRows || A.nnz() < 4 * A.rows) return 0;
  int bits = kLeastStageBits;  // the power of two that is next to the rows of one stage among so many
  while (bits < kMostStageBits && 3 * (Offset{1} << bits) / 2 < A.rows / kStages) ++bits;
  return bits;
}

int window_bits(int stage_bits) { return std::min(stage_bits, kMostWindowBits); }

Stages make_stages(const CsrView<double>& A, int bits, int window_bits) {
  KANTOR_REQUIRE(A.rows == A.cols, "matrix: " + std::to_string(A.rows) + " rows, " + std::to_string(A.cols) +
                                       " columns, expected a square one");
  KANTOR_REQUIRE(kLeastStageBits <= bits && bits <= kMostStageBits,
                 "bits: got " + std::to_string(bits) + ", expected " + std::to_string(kLeastStageBits) + " to " +
                     std::to_string(kMostStageBits));
  KANTOR_REQUIRE(1 <= window_bits && window_bits <= std::min(bits, kMostWindowBits),
                 "window_bits: got " + std::to_string(window_bits) + ", expected 1 to " +
                     std::to_string(std::min(bits, kMostWindowBits)));
  const int threads = threads_for(A.nnz());
  const Offset chunks = (Offset{1} << bits) / kStageChunk, most = (Offset{1} << 16) / kStageChunk;  // of a task
  Stages S;
  S.bits = bits;
  S.window_bits = window_bits;
  S.rows = A.rows;
  S.count = (A.rows + (Offset{1} << bits) - 1) >> bits;
  S.windows = (A.rows + (Offset{1} << window_bits) - 1) >> window_bits;
  S.tasks = std::min(chunks, std::max({kTasks, Offset{2} * num_threads(), chunks / most}));
  S.task_rows = (chunks + S.tasks - 1) / S.tasks * kStageChunk;
  const Offset all = S.count * S.tasks, windows = S.windows;
  const auto rows_of = [&](Offset t) { return task_rows(S, t / S.tasks, t % S.tasks); };
  S.start = Buffer<Offset>(all * windows + 1);

  Dispenser counting(all, threads), placing(all, threads);
  parallel_region(threads, [&](Team& team) {
    std::vector<Offset> counters(static_cast<size_t>(kCounters * windows));
    counting.run(team, 0, [&](Offset t) {
      count_entries(A, rows_of(t), window_bits, windows, counters, S.start.data() + t * windows);
    });
  });
  Offset total = 0;
  for (Offset i = 0; i < all * windows; ++i) {
    const Offset entries = S.start[i];
    S.start[i] = total;
    total += entries;
  }
  S.start[all * windows] = total;
  S.entries = Buffer<StageEntry>(total);
  parallel_region(threads, [&](Team& team) {
    std::vector<StageEntry*> next(static_cast<size_t>(windows));
    placing.run(team, 0, [&](Offset t) {
      for (Offset w = 0; w < windows; ++w) next[static_cast<size_t>(w)] = S.entries.data() + S.start[t * windows + w];
      place_entries(A, rows_of(t), window_bits, next);
    });
  });
  return S;
}

double stage_sweep(const Stages& A, const double* d, float* x, Offset inner) {
  const int threads = threads_for(A.entries.size());
  Sweep sweep(A, d, x, inner, threads);
  parallel_region(threads, [&](Team& team) { sweep.run(team); });
  return sweep.change();
}

}  // namespace kantor
