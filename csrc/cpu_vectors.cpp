// Elementwise kernels and reductions: cut into chunks, handed to the loops of the instruction set in use.
#include <algorithm>
#include <cmath>

#include "cpu_isa.hpp"
#include "kernels.hpp"
#include "parallel.hpp"
#include "reduce.hpp"

namespace kantor {
namespace {

constexpr Offset kGrain = kReduceChunk;

// Columns whose sums are kept in registers or the first-level cache at a time.
constexpr Offset kColumnTile = 16;
constexpr int kRowLanes = 4;

// partial (k) <- combine over rows [begin, end) of element(row, column), in a fixed order.
template <typename Element, typename Combine>
void column_partials(Offset begin, Offset end, Offset k, double* partial, Element element, Combine combine) {
  for (Offset first = 0; first < k; first += kColumnTile) {
    const Offset width = std::min(kColumnTile, k - first);
    double lane[kRowLanes][kColumnTile] = {};
    Offset row = begin;
    for (; row + kRowLanes <= end; row += kRowLanes)
      for (int l = 0; l < kRowLanes; ++l)
        for (Offset j = 0; j < width; ++j) lane[l][j] = combine(lane[l][j], element(row + l, first + j));
    for (; row < end; ++row)
      for (Offset j = 0; j < width; ++j) lane[0][j] = combine(lane[0][j], element(row, first + j));
    for (Offset j = 0; j < width; ++j)
      partial[first + j] = combine(combine(lane[0][j], lane[2][j]), combine(lane[1][j], lane[3][j]));
  }
}

// Runs piece(operands, begin, end, partial) over all chunks of all operands in one parallel region and then
// gather(partials, chunks, stride) -> double for each operand and column.
template <typename Piece, typename Gather>
void reduce_batch(const std::vector<Operands>& batch, Offset k, double* out, Piece piece, Gather gather) {
  const Offset rows_per_chunk = std::max<Offset>(1, kReduceChunk / std::max<Offset>(1, k));
  std::vector<Offset> first(batch.size() + 1, 0);
  Offset work = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    first[i + 1] = first[i] + (batch[i].n + rows_per_chunk - 1) / rows_per_chunk;
    work += batch[i].n * k;
  }
  std::vector<double> partials(static_cast<size_t>(first.back() * k));
  const int threads = threads_for(work);
  Dispenser dispenser(first.back(), threads);
  parallel_region(threads, [&](Team& team) {
    dispenser.run(team, 0, [&](Offset task) {
      const size_t i = static_cast<size_t>(std::upper_bound(first.begin(), first.end(), task) - first.begin() - 1);
      const Offset begin = (task - first[i]) * rows_per_chunk;
      piece(batch[i], begin, std::min(begin + rows_per_chunk, batch[i].n), partials.data() + task * k);
    });
  });
  for (size_t i = 0; i < batch.size(); ++i)
    for (Offset j = 0; j < k; ++j)
      out[static_cast<Offset>(i) * k + j] = gather(partials.data() + first[i] * k + j, first[i + 1] - first[i], k);
}

}  // namespace

void fill(double value, double* out, Offset n) {
  parallel_chunks(n, kGrain, 1, [=](Offset begin, Offset end) { std::fill(out + begin, out + end, value); });
}

void copy(const double* x, double* out, Offset n) {
  parallel_chunks(n, kGrain, 1, [=](Offset begin, Offset end) { std::copy(x + begin, x + end, out + begin); });
}

void axpby(double a, const double* x, double b, double* y, Offset n) {
  const IsaTable& loops = isa();
  parallel_chunks(n, kGrain, 1,
                  [&](Offset begin, Offset end) { loops.axpby(a, x + begin, b, y + begin, end - begin); });
}

void axpby_columns(const double* a, const double* x, const double* b, double* y, Offset n, Offset k) {
  const Offset grain = std::max<Offset>(1, kGrain / std::max<Offset>(1, k));
  parallel_chunks(n, grain, k, [=](Offset begin, Offset end) {
    for (Offset i = begin; i < end; ++i)
      for (Offset j = 0; j < k; ++j) y[i * k + j] = axpby(a[j], x[i * k + j], b[j], y[i * k + j]);
  });
}

void combine(double a, const double* x, double b, const double* z, double c, double* y, Offset n) {
  const IsaTable& loops = isa();
  parallel_chunks(n, kGrain, 1, [&](Offset begin, Offset end) {
    loops.combine(a, x + begin, b, z + begin, c, y + begin, end - begin);
  });
}

void combine_columns(const double* a, const double* x, const double* b, const double* z, const double* c, double* y,
                     Offset n, Offset k) {
  const IsaTable& loops = isa();
  const Offset grain = std::max<Offset>(1, kGrain / std::max<Offset>(1, k));
  parallel_chunks(n, grain, k, [&](Offset begin, Offset end) {
    loops.combine_columns(a, x + begin * k, b, z + begin * k, c, y + begin * k, end - begin, k);
  });
}

void multiply(const double* x, const double* y, double* out, Offset n) {
  const IsaTable& loops = isa();
  parallel_chunks(n, kGrain, 1,
                  [&](Offset begin, Offset end) { loops.multiply(x + begin, y + begin, out + begin, end - begin); });
}

void clip(const double* x, const double* lower, const double* upper, double* out, Offset n) {
  const IsaTable& loops = isa();
  parallel_chunks(n, kGrain, 1, [&](Offset begin, Offset end) {
    loops.clip(x + begin, lower + begin, upper + begin, out + begin, end - begin);
  });
}

void prox(const TermsView& terms, double tau, const double* v, double* out, Offset n) {
  constexpr Offset kProxGrain = 1024;  // a Newton iteration costs some hundred times a copy
  constexpr Offset kProxWork = 16;
  parallel_chunks(n, kProxGrain, kProxWork, [&](Offset begin, Offset end) {
    for (Offset j = begin; j < end; ++j) out[j] = prox(terms.kind[j], tau, v[j], terms.a[j], terms.b[j], terms.e[j]);
  });
}

void dot(const std::vector<Operands>& pairs, Offset k, double* out) {
  const IsaTable& loops = isa();
  auto piece = [&](const Operands& o, Offset begin, Offset end, double* partial) {
    if (k == 1) {
      *partial = loops.dot(o.x + begin, o.y + begin, end - begin);
      return;
    }
    column_partials(
        begin, end, k, partial, [&](Offset row, Offset j) { return o.x[row * k + j] * o.y[row * k + j]; },
        [](double a, double b) { return a + b; });
  };
  reduce_batch(pairs, k, out, piece, halving_sum);
}

void largest_magnitude(const std::vector<Operands>& arrays, Offset k, double* out) {
  const IsaTable& loops = isa();
  auto piece = [&](const Operands& o, Offset begin, Offset end, double* partial) {
    if (k == 1) {
      *partial = loops.largest(o.x + begin, end - begin);
      return;
    }
    column_partials(
        begin, end, k, partial, [&](Offset row, Offset j) { return fabs(o.x[row * k + j]); },
        [](double a, double b) { return maximum(a, b); });
  };
  auto gather = [](const double* partials, Offset chunks, Offset stride) {
    double top = 0.0;
    for (Offset c = 0; c < chunks; ++c) top = maximum(top, partials[c * stride]);
    return top;
  };
  reduce_batch(arrays, k, out, piece, gather);
}

void extremes(const double* x, Offset n, double* least, double* most) {
  constexpr int kLanes = 16;
  const Offset chunks = (n + kGrain - 1) / kGrain;
  std::vector<double> low(static_cast<size_t>(chunks)), high(static_cast<size_t>(chunks));
  parallel_chunks(n, kGrain, 1, [&](Offset begin, Offset end) {
    double small[kLanes], large[kLanes], odd[kLanes] = {};
    std::fill(small, small + kLanes, HUGE_VAL);
    std::fill(large, large + kLanes, -HUGE_VAL);
    auto take = [&](int l, double value) {
      small[l] = value < small[l] ? value : small[l];
      large[l] = value > large[l] ? value : large[l];
      odd[l] = value == value ? odd[l] : value;
    };
    Offset i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (int l = 0; l < kLanes; ++l) take(l, x[i + l]);
    for (int l = 0; i + l < end; ++l) take(l, x[i + l]);
    double a = small[0], b = large[0], bad = odd[0];
    for (int l = 1; l < kLanes; ++l) {
      a = std::min(a, small[l]);
      b = std::max(b, large[l]);
      bad += odd[l];
    }
    low[static_cast<size_t>(begin / kGrain)] = bad == bad ? a : bad;
    high[static_cast<size_t>(begin / kGrain)] = bad == bad ? b : bad;
  });
  *least = HUGE_VAL;
  *most = -HUGE_VAL;
  for (Offset c = 0; c < chunks; ++c) {
    const double a = low[static_cast<size_t>(c)], b = high[static_cast<size_t>(c)];
    *least = a < *least || a != a ? a : *least;  // a NaN stays: nothing is less than it
    *most = b > *most || b != b ? b : *most;
  }
}

}  // namespace kantor
