// Sums in one fixed order, whatever the number of threads: same input, same bits. Host and device.
//
// An array is cut into chunks of kReduceChunk elements. Within a chunk lane l of kReduceLanes adds the elements
// l, l + lanes, l + 2 lanes, ... in rising order, and the lanes are added by halving. The partial sums of the chunks
// are then added by halving too. Threads only decide who computes which chunk, never what is added to what.
#pragma once

#include "pointwise.hpp"
#include "types.hpp"

namespace kantor {

constexpr Offset kReduceChunk = 8192;
// On the host: eight registers of four doubles, enough to hide the latency of an addition. A device block may use its
// own number of lanes (a power of two); the templates below are then the host's restatement of it.
constexpr int kReduceLanes = 32;

KANTOR_HD inline Offset reduce_chunks(Offset n) { return (n + kReduceChunk - 1) / kReduceChunk; }

// Sum of values[0], values[stride], ..., values[(n - 1) stride] by halving: element i takes in element i + ceil(n / 2)
// until one is left. Overwrites the values.
KANTOR_HD inline double halving_sum(double* values, Offset n, Offset stride = 1) {
  if (n == 0) return 0.0;
  while (n > 1) {
    const Offset half = (n + 1) / 2;
    for (Offset i = 0; i + half < n; ++i) values[i * stride] += values[(i + half) * stride];
    n = half;
  }
  return values[0];
}

// The largest of values[0..n), 0 if there is none; NaN if any is. For magnitudes.
KANTOR_HD inline double largest(const double* values, Offset n) {
  double top = 0.0;
  for (Offset i = 0; i < n; ++i) top = maximum(top, values[i]);
  return top;
}

// sum of element(i) for i in [0, n), n <= kReduceChunk, in the order stated above.
template <int Lanes, typename Element>
KANTOR_HD inline double lane_sum(Offset n, Element element) {
  double lane[Lanes] = {};
  Offset i = 0;
  for (; i + Lanes <= n; i += Lanes)
    for (int l = 0; l < Lanes; ++l) lane[l] += element(i + l);
  for (int l = 0; i + l < n; ++l) lane[l] += element(i + l);
  return halving_sum(lane, Lanes);
}

}  // namespace kantor
