// Every per-element formula, once, for host and device. Depends on types.hpp alone, so that a run-time compiler can
// read it too. python/kantor/backends/pointwise.py restates the proximal maps and is the oracle of the tests.
#pragma once

#include "types.hpp"

namespace kantor {

#if !defined(__CUDACC_RTC__)
using std::exp;
using std::fabs;
using std::log;
using std::pow;
using std::sqrt;
#endif

// ---- minimum, maximum, clip: NaN in any argument gives NaN, as in NumPy; no branch, so that loops become vectors --

KANTOR_HD inline double maximum(double a, double b) {
  const double top = a >= b ? a : b;
  return a != a ? a : top;
}

KANTOR_HD inline double minimum(double a, double b) {
  const double bottom = a <= b ? a : b;
  return a != a ? a : bottom;
}

KANTOR_HD inline double clip(double x, double lower, double upper) { return minimum(maximum(x, lower), upper); }

// ---- axpby: y <- a x + b y; with b == 0 the old y is not read -----------------------------------------------------

KANTOR_HD inline double axpby(double a, double x, double b, double y) { return b == 0.0 ? a * x : a * x + b * y; }

// ---- proximal maps: argmin_u phi(u) + (u - v)^2 / (2 tau), unbounded (kantor.solvers.problem.TermKind) ------------

enum TermKind : uint8_t {
  kLinear = 0,      // 0
  kQuadratic = 1,   // a/2 (x - b)^2
  kHarmony = 2,     // -a H(x/b - 1), H(s) = s - s^2/2 (s < 0), ln(1 + s) (s >= 0)
  kLog = 3,         // -a ln(x + b)
  kPower = 4,       // -a x^(1-e) / (1-e)
  kHyperbolic = 5,  // -a (x/b) / (e + x/b)
};

// Six Newton steps reach 1e-14 for parameters within e^+-30; a fixed number keeps every lane of a warp together.
constexpr int kNewtonSteps = 8;

// The positive root of u^2 - v u - q = 0, q >= 0; for v < 0 the other form of the root avoids cancellation.
KANTOR_HD inline double positive_root(double v, double q) {
  const double root = sqrt(v * v + 4.0 * q);
  if (v >= 0.0) return 0.5 * (v + root);
  return root == 0.0 ? 0.0 : 2.0 * q / (root - v);
}

// The root u > 0 of u - v - k0 u^-s = 0, k0 > 0, s > 0. Newton rises monotonically in u from max(v, a), a =
// k0^(1/(1+s)), for v >= 0; for v < 0 it is run in z = ln u on the convex s z + ln(e^z - v) - ln k0.
KANTOR_HD inline double power_root(double v, double k0, double s) {
  const double a = pow(k0, 1.0 / (1.0 + s));
  if (!(v < 0.0)) {
    double u = maximum(v, a);
    for (int i = 0; i < kNewtonSteps; ++i) {
      const double slope = k0 * pow(u, -s - 1.0);
      u = u - (u - v - slope * u) / (1.0 + s * slope);
    }
    return u;
  }
  const double log_k0 = log(k0);
  double z = minimum(log(a), (log_k0 - log(-v)) / s);
  for (int i = 0; i < kNewtonSteps; ++i) {
    const double u = exp(z);
    const double total = u - v;
    z = z - (s * z + log(total) - log_k0) / (s + u / total);
  }
  return exp(z);
}

KANTOR_HD inline double prox_quadratic(double tau, double v, double a, double b) {
  return (v + tau * a * b) / (1.0 + tau * a);
}

KANTOR_HD inline double prox_harmony(double tau, double v, double a, double b) {
  if (v >= b - tau * a / b) return positive_root(v, tau * a);
  return maximum(0.0, (v + 2.0 * tau * a / b) / (1.0 + tau * a / (b * b)));
}

KANTOR_HD inline double prox_log(double tau, double v, double a, double b) {
  return maximum(0.0, positive_root(v + b, tau * a) - b);
}

KANTOR_HD inline double prox_power(double tau, double v, double a, double e) {
  return a > 0.0 ? power_root(v, tau * a, e) : v;
}

KANTOR_HD inline double prox_hyperbolic(double tau, double v, double a, double b, double e) {
  if (!(a > 0.0)) return v;
  const double shift = e * b;
  return maximum(0.0, power_root(v + shift, tau * a * shift, 2.0) - shift);
}

KANTOR_HD inline double prox(uint8_t kind, double tau, double v, double a, double b, double e) {
  switch (kind) {
    case kQuadratic:
      return prox_quadratic(tau, v, a, b);
    case kHarmony:
      return prox_harmony(tau, v, a, b);
    case kLog:
      return prox_log(tau, v, a, b);
    case kPower:
      return prox_power(tau, v, a, e);
    case kHyperbolic:
      return prox_hyperbolic(tau, v, a, b, e);
    default:
      return v;
  }
}

// ---- one iteration of reflected Halpern PDHG, per column and per row (arXiv 2507.14051) ---------------------------

// Step sizes of one iteration: tau = eta / weight, sigma = eta * weight, w = (k + 1) / (k + 2) for the k-th iteration
// since the anchor was set.
struct StepSizes {
  double tau;
  double sigma;
  double halpern;
};

KANTOR_HD inline StepSizes step_sizes(double eta, double weight, int64_t k) {
  const double steps = static_cast<double>(k);
  return StepSizes{eta / weight, eta * weight, (steps + 1.0) / (steps + 2.0)};
}

// v = x - tau (c - (K'y)_j): what the proximal map and the clip are applied to.
KANTOR_HD inline double primal_gradient_point(double x, double c, double aty, double tau) {
  return x - tau * (c - aty);
}

// xr = 2 xh - x.
KANTOR_HD inline double reflect(double hat, double old) { return 2.0 * hat - old; }

// x <- w xr + (1 - w) x_anchor; the same for y.
KANTOR_HD inline double halpern(double reflected, double anchor, double w) {
  return w * reflected + (1.0 - w) * anchor;
}

// yh = y + sigma (clip(ax - y/sigma, l, u) - ax), written as the clip of 0 to [y + sigma (l - ax), y + sigma (u - ax)]:
// the same number without the division and without cancellation, exactly 0 where the row does not bind.
KANTOR_HD inline double dual_hat(double y, double ax, double row_lower, double row_upper, double sigma) {
  return clip(0.0, y + sigma * (row_lower - ax), y + sigma * (row_upper - ax));
}

}  // namespace kantor
