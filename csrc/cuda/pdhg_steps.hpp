// What is done with each sum of K'y and of K xr in one iteration of reflected Halpern PDHG (arXiv 2507.14051), so that
// the product and its step are one pass over memory. The formulas are those of pointwise.hpp.
#pragma once

#include "block.hpp"

namespace kantor::cuda {

// Step sizes and iteration counter, in device memory so that a recorded graph of iterations can be replayed.
// The counter is kept twice. The primal launch reads k_primal and one of its threads sets k_dual; the dual launch reads
// k_dual and one of its threads sets k_primal. So no launch reads what it writes, and no launch of its own is spent.
struct PdhgControl {
  double eta;
  double weight;
  Offset k_primal;  // the iteration whose primal step is next
  Offset k_dual;    // the iteration whose dual step is next
};

// Separable terms, one a column; kind is null where the problem has none.
struct TermsView {
  const uint8_t* kind = nullptr;
  const double* a = nullptr;
  const double* b = nullptr;
  const double* e = nullptr;
};

// The vectors of kantor.backends.protocol.PdhgState, by the same names.
struct PdhgVectors {
  const double *c, *lower, *upper, *x_anchor;
  double *x, *x_hat, *x_reflected, *dx, *aty;
  const double *row_lower, *row_upper, *y_anchor;
  double *y, *y_hat, *dy, *ax;
  TermsView terms;
};

// Last: the block's last iteration, which also writes x_hat, dx and K'y.
template <bool Last, bool Terms>
struct PrimalRow {
  PdhgVectors v;
  StepSizes step;

  KANTOR_TEAM void operator()(Offset j, Offset, double aty) const {
    const double x = v.x[j];
    double hat = primal_gradient_point(x, v.c[j], aty, step.tau);
    if (Terms) hat = kantor::prox(v.terms.kind[j], step.tau, hat, v.terms.a[j], v.terms.b[j], v.terms.e[j]);
    hat = kantor::clip(hat, v.lower[j], v.upper[j]);
    const double reflected = reflect(hat, x);
    v.x_reflected[j] = reflected;
    v.x[j] = halpern(reflected, v.x_anchor[j], step.halpern);
    if (Last) {
      v.x_hat[j] = hat;
      v.dx[j] = hat - x;
      v.aty[j] = aty;
    }
  }
};

// Last: also writes y_hat, dy and K xr.
template <bool Last>
struct DualRow {
  PdhgVectors v;
  StepSizes step;

  KANTOR_TEAM void operator()(Offset i, Offset, double ax) const {
    const double y = v.y[i];
    const double hat = dual_hat(y, ax, v.row_lower[i], v.row_upper[i], step.sigma);
    v.y[i] = halpern(reflect(hat, y), v.y_anchor[i], step.halpern);
    if (Last) {
      v.y_hat[i] = hat;
      v.dy[i] = hat - y;
      v.ax[i] = ax;
    }
  }
};

// The Ends of product_body.hpp for the two products of an iteration.
template <bool Last, bool Terms>
struct PrimalEnd {
  PdhgVectors v;
  PdhgControl* control;

  KANTOR_TEAM PrimalRow<Last, Terms> ready() const {
    return {v, step_sizes(control->eta, control->weight, control->k_primal)};
  }
  KANTOR_TEAM void advance() const { control->k_dual = control->k_primal; }
};

template <bool Last>
struct DualEnd {
  PdhgVectors v;
  PdhgControl* control;

  KANTOR_TEAM DualRow<Last> ready() const { return {v, step_sizes(control->eta, control->weight, control->k_dual)}; }
  KANTOR_TEAM void advance() const { control->k_primal = control->k_dual + 1; }
};

// The same steps where the product has been formed elsewhere (by a distributed matrix, say): sums[i] is its i-th row.
template <class Row>
struct StepBody {
  Row row;
  const double* sums;
  Offset n;

  template <class Block>
  KANTOR_TEAM void operator()(Block& block) const {
    block.each([&](int thread) {
      const Offset i = block.x() * kBlockThreads + thread;
      if (i < n) row(i, 0, sums[i]);
    });
  }
};

struct SetControlBody {
  PdhgControl* control;
  PdhgControl value;

  template <class Block>
  KANTOR_TEAM void operator()(Block& block) const {
    block.each([&](int thread) {
      if (thread == 0) *control = value;
    });
  }
};

}  // namespace kantor::cuda
