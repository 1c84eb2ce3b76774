// Elementwise bodies, one element a thread, and the sums over arrays in one fixed order.
#pragma once

#include "block.hpp"

namespace kantor::cuda {

KANTOR_HD inline Offset element_blocks(Offset n) { return (n + kBlockThreads - 1) / kBlockThreads; }

// formula(i) for i in [0, n).
template <class Formula>
struct ElementBody {
  Formula formula;
  Offset n;

  template <class Block>
  KANTOR_TEAM void operator()(Block& block) const {
    block.each([&](int thread) {
      const Offset i = block.x() * kBlockThreads + thread;
      if (i < n) formula(i);
    });
  }
};

// y <- a x + b y
struct Axpby {
  double a;
  const double* x;
  double b;
  double* y;
  KANTOR_TEAM void operator()(Offset i) const { y[i] = kantor::axpby(a, x[i], b, b == 0.0 ? 0.0 : y[i]); }
};

// Weights of the columns [column0, column0 + width) of (n, k) arrays, one pair a column, passed by value.
constexpr int kMostWeights = 64;

struct AxpbyColumns {
  double a[kMostWeights];
  double b[kMostWeights];
  const double* x;
  double* y;
  Offset k;
  Offset column0;
  Offset width;
  KANTOR_TEAM void operator()(Offset element) const {
    const Offset j = element % width;
    const Offset i = element / width * k + column0 + j;
    y[i] = kantor::axpby(a[j], x[i], b[j], b[j] == 0.0 ? 0.0 : y[i]);
  }
};

struct Multiply {
  const double* x;
  const double* y;
  double* out;
  KANTOR_TEAM void operator()(Offset i) const { out[i] = x[i] * y[i]; }
};

struct Clip {
  const double* x;
  const double* lower;
  const double* upper;
  double* out;
  KANTOR_TEAM void operator()(Offset i) const { out[i] = kantor::clip(x[i], lower[i], upper[i]); }
};

struct Prox {
  const uint8_t* kind;
  const double* a;
  const double* b;
  const double* e;
  double tau;
  const double* v;
  double* out;
  KANTOR_TEAM void operator()(Offset i) const { out[i] = kantor::prox(kind[i], tau, v[i], a[i], b[i], e[i]); }
};

// ---- reductions
// ------------------------------------------------------------------------------------------------------
//
// A (n, k) array is cut into chunks of kChunkElements / columns rows, whatever the device. One block adds up one chunk
// of one item of the batch; a second launch adds up the chunks. Same shape, same bits, on any GPU.

constexpr Offset kChunkElements = 8192;
constexpr int kMostItems = 16;  // pairs of one launch, passed by value

KANTOR_HD inline Offset chunk_rows(int columns) { return kChunkElements / columns; }

KANTOR_HD inline Offset chunks_of(Offset n, int columns) { return (n + chunk_rows(columns) - 1) / chunk_rows(columns); }

struct ReduceItem {
  const double* x;
  const double* y;
  Offset n;
};

// The items of one launch by value; a plain pointer to items in device memory does as well.
struct ItemArray {
  ReduceItem item[kMostItems];
  KANTOR_HD const ReduceItem& operator[](Offset i) const { return item[i]; }
};

// What one element adds to a reduction.
struct Product {
  using Join = Sum;
  KANTOR_HD static double take(double sum, double x, double y) { return fused(x, y, sum); }
};

struct Magnitude {
  using Join = Largest;
  KANTOR_HD static double take(double top, double x, double) { return maximum(top, fabs(x)); }
};

// Block (chunk, item, column tile): partials (items, most chunks, k).
template <int Columns, class Element, class Items>
struct ReduceBody {
  Items items;
  Offset k;
  Offset most_chunks;
  double* partials;

  template <class Block>
  KANTOR_TEAM void operator()(Block& block) const {
    constexpr int kSlots = kBlockThreads / Columns;
    const ReduceItem item = items[block.y()];
    const Offset column0 = block.z() * Columns;
    const Offset begin = block.x() * chunk_rows(Columns);
    const Offset stop = begin + chunk_rows(Columns) < item.n ? begin + chunk_rows(Columns) : item.n;
    block.template by_block<typename Element::Join, Columns>(
        [&](int thread) {
          const Offset column = column0 + thread % Columns;
          double joined = Element::Join::none();
          if (column >= k) return joined;
          KANTOR_UNROLL
          for (Offset i = begin + thread / Columns; i < stop; i += kSlots) {
            joined = Element::take(joined, item.x[i * k + column], item.y[i * k + column]);
          }
          return joined;
        },
        [&](int thread, double joined) {
          if (column0 + thread < k) partials[(block.y() * most_chunks + block.x()) * k + column0 + thread] = joined;
        });
  }
};

// Block (0, item, column tile): results (items, k).
template <int Columns, class Join, class Items>
struct ReduceChunksBody {
  Items items;
  Offset k;
  Offset most_chunks;
  const double* partials;
  double* results;

  template <class Block>
  KANTOR_TEAM void operator()(Block& block) const {
    constexpr int kSlots = kBlockThreads / Columns;
    const Offset chunks = chunks_of(items[block.y()].n, Columns);
    const Offset column0 = block.z() * Columns;
    block.template by_block<Join, Columns>(
        [&](int thread) {
          const Offset column = column0 + thread % Columns;
          double joined = Join::none();
          if (column >= k) return joined;
          for (Offset c = thread / Columns; c < chunks; c += kSlots) {
            joined = Join::join(joined, partials[(block.y() * most_chunks + c) * k + column]);
          }
          return joined;
        },
        [&](int thread, double joined) {
          if (column0 + thread < k) results[block.y() * k + column0 + thread] = joined;
        });
  }
};

}  // namespace kantor::cuda
