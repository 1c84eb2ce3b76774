// The hot loops. CMake compiles this file once per instruction set with KANTOR_ISA set to baseline, avx2 or avx512 and
// without contraction of a * b + c, so that all of them round alike.
#include "cpu_isa.hpp"

#include "reduce.hpp"

#define KANTOR_STRING_(x) #x
#define KANTOR_STRING(x) KANTOR_STRING_(x)
#define KANTOR_JOIN_(a, b) a##b
#define KANTOR_JOIN(a, b) KANTOR_JOIN_(a, b)

namespace kantor {
namespace {

// x larger than this does not stay in the second-level cache: ask for its elements this many nonzeros early. The
// request goes on across the ends of rows, where a mispredicted branch would stop the processor from running ahead by
// itself.
constexpr Offset kPrefetchFrom = 32768;
constexpr Offset kPrefetchAhead = 64;

// Entries of a tile between the one in use and the one asked for.
constexpr Offset kStreamAhead = 256;

// Right-hand sides: entries between the one in use and the one whose row of x is asked for.
constexpr Offset kRowsAhead = 8;

// Entries of a row that are summed in single precision.
constexpr Offset kSingleStretch = 1024;

// Four partial sums hide the latency of the addition; their number fixes the order, so it is the same everywhere.
// With Ahead, cols[0 .. n + kPrefetchAhead) must exist.
template <bool Ahead, typename Value>
inline double sum_span(const Value* values, const Index* cols, Offset n, const double* x) {
  double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
  Offset i = 0;
  for (; i + 4 <= n; i += 4) {
    if (Ahead)
      for (int l = 0; l < 4; ++l) __builtin_prefetch(x + cols[i + l + kPrefetchAhead]);
    s0 += values[i] * x[cols[i]];
    s1 += values[i + 1] * x[cols[i + 1]];
    s2 += values[i + 2] * x[cols[i + 2]];
    s3 += values[i + 3] * x[cols[i + 3]];
  }
  for (; i < n; ++i) {
    if (Ahead) __builtin_prefetch(x + cols[i + kPrefetchAhead]);
    s0 += values[i] * x[cols[i]];
  }
  return (s0 + s2) + (s1 + s3);
}

template <typename Value>
double span_sum(const Value* values, const Index* cols, Offset n, const double* x) {
  return sum_span<false>(values, cols, n, x);
}

template <bool Ahead, typename Value>
inline void sum_rows(const CsrView<Value>& A, const double* x, Offset begin, Offset end, double* out) {
  Offset at = A.row_ptr[begin];
  for (Offset row = begin; row < end; ++row) {
    const Offset next = A.row_ptr[row + 1];
    out[row - begin] = sum_span<Ahead>(A.values + at, A.col_idx + at, next - at, x);
    at = next;
  }
}

template <typename Value>
void row_sums(const CsrView<Value>& A, const double* x, Offset begin, Offset end, double* out) {
  if (A.cols > kPrefetchFrom && A.row_ptr[end] + kPrefetchAhead <= A.row_ptr[A.rows])
    sum_rows<true>(A, x, begin, end, out);
  else
    sum_rows<false>(A, x, begin, end, out);
}

inline void add_entry(uint32_t place, double value, const double* window, double* sums) {
  sums[place >> kWindowBits] += value * window[place & (kWindow - 1)];
}

template <typename Value>
void tile_sums(const Tiles<Value>& A, Offset block, const double* x, double* sums) {
  const uint32_t* __restrict place = A.place.data();
  const Value* __restrict values = A.values.data();
  const Offset* start = A.start.data() + block * A.windows;
  const Offset rows = A.blocks.data()[block].row_end - A.blocks.data()[block].row_begin;
  for (Offset r = 0; r < rows; ++r) sums[r] = 0.0;
  for (Offset w = 0; w < A.windows; ++w) {
    const double* window = x + w * kWindow;
    Offset i = start[w];
    for (; i + 8 <= start[w + 1]; i += 8) {
      // Beyond what the processor fetches ahead by itself; past the end of the arrays a request does nothing.
      __builtin_prefetch(values + i + kStreamAhead);
      __builtin_prefetch(place + i + 2 * kStreamAhead);
      for (int l = 0; l < 8; ++l) add_entry(place[i + l], values[i + l], window, sums);
    }
    for (; i < start[w + 1]; ++i) add_entry(place[i], values[i], window, sums);
  }
}

// The product of two float32 is exact, so a fused addition rounds as a separate one does.
inline void add_staged(const StageEntry& entry, const float* x, double* sums) {
  const double v = static_cast<double>(entry.value), w = static_cast<double>(x[entry.place & 0xffff]);
  double& sum = sums[entry.place >> 16];
#if defined(__FMA__)
  sum = __builtin_fma(v, w, sum);
#else
  sum += v * w;
#endif
}

// Some stretches of whole rows at once: within one, each addition to a row waits for the one before.
void stage_sums(const StageEntry* entries, Offset n, const float* x, double* sums) {
  constexpr int kStretches = 4;
  Offset cut[kStretches + 1];
  for (int l = 0; l <= kStretches; ++l) cut[l] = n * l / kStretches;
  for (int l = 1; l < kStretches; ++l) {
    if (cut[l] < cut[l - 1]) cut[l] = cut[l - 1];
    while (cut[l] > 0 && cut[l] < n && entries[cut[l]].place >> 16 == entries[cut[l] - 1].place >> 16) ++cut[l];
  }
  Offset common = n;
  for (int l = 0; l < kStretches; ++l) common = cut[l + 1] - cut[l] < common ? cut[l + 1] - cut[l] : common;
  if (common < 0) common = 0;
  const StageEntry* next[kStretches];
  for (int l = 0; l < kStretches; ++l) next[l] = entries + cut[l];
  for (Offset i = 0; i < common; ++i)
    for (int l = 0; l < kStretches; ++l) add_staged(next[l][i], x, sums);
  for (int l = 0; l < kStretches; ++l)
    for (Offset i = cut[l] + common; i < cut[l + 1]; ++i) add_staged(entries[i], x, sums);
}

// K columns of x at a time, in registers. Up to 8 columns take two sets of sums, to hide the latency of the addition;
// more columns hide it themselves. With Ahead, cols[0 .. n + kRowsAhead) must exist.
template <int K, bool Ahead, typename Value>
inline void span_sum_wide(const Value* values, const Index* cols, Offset n, const double* x, Offset k, double* out) {
  double sums[K] = {};
  for (Offset i = 0; i < n; ++i) {
    if (Ahead)
      for (int j = 0; j < K; j += 8) __builtin_prefetch(x + static_cast<Offset>(cols[i + kRowsAhead]) * k + j);
    const double v = values[i];
    const double* p = x + static_cast<Offset>(cols[i]) * k;
    for (int j = 0; j < K; ++j) sums[j] += v * p[j];
  }
  for (int j = 0; j < K; ++j) out[j] = sums[j];
}

template <int K, bool Ahead, typename Value>
inline void span_sum_tile(const Value* values, const Index* cols, Offset n, const double* x, Offset k, double* out) {
  double even[K] = {}, odd[K] = {};
  Offset i = 0;
  for (; i + 2 <= n; i += 2) {
    if (Ahead)
      for (int l = 0; l < 2; ++l) __builtin_prefetch(x + static_cast<Offset>(cols[i + l + kRowsAhead]) * k);
    const double v = values[i], w = values[i + 1];
    const double* p = x + static_cast<Offset>(cols[i]) * k;
    const double* q = x + static_cast<Offset>(cols[i + 1]) * k;
    for (int j = 0; j < K; ++j) even[j] += v * p[j];
    for (int j = 0; j < K; ++j) odd[j] += w * q[j];
  }
  if (i < n) {
    const double* p = x + static_cast<Offset>(cols[i]) * k;
    for (int j = 0; j < K; ++j) even[j] += values[i] * p[j];
  }
  for (int j = 0; j < K; ++j) out[j] = even[j] + odd[j];
}

template <bool Ahead, typename Value>
inline void sum_span_k(const Value* values, const Index* cols, Offset n, const double* x, Offset k, double* out) {
  Offset j = 0;
  for (; j + 32 <= k; j += 32) span_sum_wide<32, Ahead>(values, cols, n, x + j, k, out + j);
  if (j + 16 <= k) span_sum_wide<16, Ahead>(values, cols, n, x + j, k, out + j), j += 16;
  if (j + 8 <= k) span_sum_tile<8, Ahead>(values, cols, n, x + j, k, out + j), j += 8;
  if (j + 4 <= k) span_sum_tile<4, Ahead>(values, cols, n, x + j, k, out + j), j += 4;
  if (j + 2 <= k) span_sum_tile<2, Ahead>(values, cols, n, x + j, k, out + j), j += 2;
  if (j < k) span_sum_tile<1, Ahead>(values, cols, n, x + j, k, out + j);
}

template <typename Value>
void span_sum_k(const Value* values, const Index* cols, Offset n, const double* x, Offset k, double* out) {
  sum_span_k<false>(values, cols, n, x, k, out);
}

template <bool Ahead, typename Value>
inline void sum_rows_k(const CsrView<Value>& A, const double* x, Offset k, Offset begin, Offset end, double* out) {
  for (Offset row = begin; row < end; ++row) {
    const Offset at = A.row_ptr[row];
    sum_span_k<Ahead>(A.values + at, A.col_idx + at, A.row_ptr[row + 1] - at, x, k, out + (row - begin) * k);
  }
}

template <typename Value>
void row_sums_k(const CsrView<Value>& A, const double* x, Offset k, Offset begin, Offset end, double* out) {
  if (A.cols * k > kPrefetchFrom && A.row_ptr[end] + kRowsAhead <= A.row_ptr[A.rows])
    sum_rows_k<true>(A, x, k, begin, end, out);
  else
    sum_rows_k<false>(A, x, k, begin, end, out);
}

// K columns of a row, all in single precision; a long row in stretches, whose sums are added in double. With Ahead,
// cols[0 .. n + kRowsAhead) must exist.
template <int K, bool Ahead, typename Value>
inline void single_span(const Value* values, const Index* cols, Offset n, const float* r, Offset k, float* out) {
  double total[K] = {};
  for (Offset begin = 0; begin < n; begin += kSingleStretch) {
    const Offset end = begin + kSingleStretch < n ? begin + kSingleStretch : n;
    float sums[K] = {};
    for (Offset i = begin; i < end; ++i) {
      if (Ahead) __builtin_prefetch(r + static_cast<Offset>(cols[i + kRowsAhead]) * k);
      const float v = static_cast<float>(values[i]);
      const float* p = r + static_cast<Offset>(cols[i]) * k;
      for (int j = 0; j < K; ++j) sums[j] += v * p[j];
    }
    for (int j = 0; j < K; ++j) total[j] += sums[j];
  }
  for (int j = 0; j < K; ++j) out[j] = static_cast<float>(total[j]);
}

template <bool Ahead, typename Value>
inline void single_rows(const CsrView<Value>& A, const float* r, Offset k, Offset begin, Offset end, float* out) {
  for (Offset row = begin; row < end; ++row, out += k) {
    const Offset at = A.row_ptr[row], n = A.row_ptr[row + 1] - at;
    const Value* values = A.values + at;
    const Index* cols = A.col_idx + at;
    Offset j = 0;
    for (; j + 16 <= k; j += 16) single_span<16, Ahead>(values, cols, n, r + j, k, out + j);
    if (j + 8 <= k) single_span<8, Ahead>(values, cols, n, r + j, k, out + j), j += 8;
    for (; j < k; ++j) single_span<1, Ahead>(values, cols, n, r + j, k, out + j);
  }
}

template <typename Value>
void single_sums(const CsrView<Value>& A, const float* r, Offset k, Offset begin, Offset end, float* out) {
  if (A.row_ptr[end] + kRowsAhead <= A.row_ptr[A.rows])
    single_rows<true>(A, r, k, begin, end, out);
  else
    single_rows<false>(A, r, k, begin, end, out);
}

// x <- x + out and squares <- squares + out^2 by column, for some rows of a sweep.
void single_finish(const float* out, float* x, Offset rows, Offset k, double* squares) {
  for (Offset i = 0; i < rows; ++i, out += k, x += k)
    for (Offset j = 0; j < k; ++j) {
      const double v = out[j];
      x[j] += out[j];
      squares[j] += v * v;
    }
}

void axpby_range(double a, const double* x, double b, double* y, Offset n) {
  if (b == 0.0)
    for (Offset i = 0; i < n; ++i) y[i] = a * x[i];
  else
    for (Offset i = 0; i < n; ++i) y[i] = a * x[i] + b * y[i];
}

void combine_range(double a, const double* x, double b, const double* z, double c, double* y, Offset n) {
  if (c == 0.0)
    for (Offset i = 0; i < n; ++i) y[i] = a * x[i] + b * z[i];
  else
    for (Offset i = 0; i < n; ++i) y[i] = (a * x[i] + b * z[i]) + c * y[i];
}

void combine_columns_range(const double* a, const double* x, const double* b, const double* z, const double* c,
                           double* y, Offset rows, Offset k) {
  for (Offset i = 0; i < rows; ++i, x += k, z += k, y += k)
    for (Offset j = 0; j < k; ++j) {
      const double sum = a[j] * x[j] + b[j] * z[j];
      y[j] = c[j] == 0.0 ? sum : sum + c[j] * y[j];
    }
}

void multiply_range(const double* x, const double* y, double* out, Offset n) {
  for (Offset i = 0; i < n; ++i) out[i] = x[i] * y[i];
}

void clip_range(const double* x, const double* lower, const double* upper, double* out, Offset n) {
  for (Offset i = 0; i < n; ++i) out[i] = clip(x[i], lower[i], upper[i]);
}

double dot_chunk(const double* x, const double* y, Offset n) {
  return lane_sum<kReduceLanes>(n, [=](Offset i) { return x[i] * y[i]; });
}

double largest_chunk(const double* x, Offset n) {
  double lane[8] = {};
  Offset i = 0;
  for (; i + 8 <= n; i += 8)
    for (int l = 0; l < 8; ++l) lane[l] = maximum(lane[l], fabs(x[i + l]));
  for (; i < n; ++i) lane[0] = maximum(lane[0], fabs(x[i]));
  return largest(lane, 8);
}

void primal_range(const PdhgArrays& s, const StepSizes& steps, bool last, Offset begin, Offset end, double* sums) {
  const Offset n = end - begin;
  const double tau = steps.tau, w = steps.halpern;
  const double* __restrict c = s.c + begin;
  const double* __restrict lower = s.lower + begin;
  const double* __restrict upper = s.upper + begin;
  const double* __restrict anchor = s.x_anchor + begin;
  double* __restrict x = s.x + begin;
  double* __restrict reflected = s.x_reflected + begin;
  double* __restrict hat = sums;
  if (last)
    for (Offset j = 0; j < n; ++j) s.aty[begin + j] = sums[j];
  for (Offset j = 0; j < n; ++j) hat[j] = primal_gradient_point(x[j], c[j], hat[j], tau);
  if (s.terms.kind != nullptr)
    for (Offset j = begin; j < end; ++j)
      if (s.terms.kind[j] != kLinear)
        hat[j - begin] = prox(s.terms.kind[j], tau, hat[j - begin], s.terms.a[j], s.terms.b[j], s.terms.e[j]);
  if (last)
    for (Offset j = 0; j < n; ++j) {
      const double h = clip(hat[j], lower[j], upper[j]);
      s.x_hat[begin + j] = h;
      s.dx[begin + j] = h - x[j];
    }
  for (Offset j = 0; j < n; ++j) {
    const double r = reflect(clip(hat[j], lower[j], upper[j]), x[j]);
    reflected[j] = r;
    x[j] = halpern(r, anchor[j], w);
  }
}

void dual_range(const PdhgArrays& s, const StepSizes& steps, bool last, Offset begin, Offset end, double* sums) {
  const Offset n = end - begin;
  const double sigma = steps.sigma, w = steps.halpern;
  const double* __restrict lower = s.row_lower + begin;
  const double* __restrict upper = s.row_upper + begin;
  const double* __restrict anchor = s.y_anchor + begin;
  const double* __restrict ax = sums;
  double* __restrict y = s.y + begin;
  if (last)
    for (Offset i = 0; i < n; ++i) {
      const double h = dual_hat(y[i], ax[i], lower[i], upper[i], sigma);
      s.ax[begin + i] = ax[i];
      s.y_hat[begin + i] = h;
      s.dy[begin + i] = h - y[i];
    }
  for (Offset i = 0; i < n; ++i) {
    const double h = dual_hat(y[i], ax[i], lower[i], upper[i], sigma);
    y[i] = halpern(reflect(h, y[i]), anchor[i], w);
  }
}

}  // namespace

extern const IsaTable KANTOR_JOIN(kIsa_, KANTOR_ISA);
const IsaTable KANTOR_JOIN(kIsa_, KANTOR_ISA) = {
    KANTOR_STRING(KANTOR_ISA),
    {row_sums<double>, span_sum<double>, tile_sums<double>, row_sums_k<double>, span_sum_k<double>,
     single_sums<double>},
    {row_sums<float>, span_sum<float>, tile_sums<float>, row_sums_k<float>, span_sum_k<float>, single_sums<float>},
    axpby_range,
    combine_range,
    combine_columns_range,
    single_finish,
    stage_sums,
    multiply_range,
    clip_range,
    dot_chunk,
    largest_chunk,
    primal_range,
    dual_range,
};

}  // namespace kantor
