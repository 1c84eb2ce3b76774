// The kernels by plain names and plain arguments, for a run-time compiler: kantor.backends.cupy_gpu compiles this file
// with NVRTC and launches them with blocks of kBlockThreads threads. Structures come as pointers to device memory,
// packed by Python as 8-byte words in the order of their members.
//
// Compiled as plain C++ the same names walk the grid in kantor_grid on the CPU, which tests the caller without a GPU.
#pragma once

#include "pdhg_steps.hpp"
#include "product_body.hpp"
#include "vector_bodies.hpp"

namespace kantor::cuda {

static_assert(sizeof(BucketedCsr<float>) == 15 * 8 && sizeof(PdhgVectors) == 20 * 8, "packed by cupy_gpu.py");
static_assert(sizeof(ReduceItem) == 3 * 8 && sizeof(PdhgControl) == 4 * 8, "packed by cupy_gpu.py");

#if defined(__CUDACC__)

#define KANTOR_ENTRY extern "C" __global__ void __launch_bounds__(kBlockThreads)

template <class Body>
__device__ __forceinline__ void run(const Body& body) {
  DeviceBlock block;
  body(block);
}

#else

#define KANTOR_ENTRY extern "C" void

extern "C" {
Offset kantor_grid[3] = {1, 1, 1};
}

template <class Body>
void run(const Body& body) {
  for (Offset z = 0; z < kantor_grid[2]; ++z)
    for (Offset y = 0; y < kantor_grid[1]; ++y)
      for (Offset x = 0; x < kantor_grid[0]; ++x) {
        HostBlock block(x, y, z);
        body(block);
      }
}

#endif

// ---- elementwise ----------------------------------------------------------------------------------------------------

KANTOR_ENTRY kantor_axpby(double a, const double* x, double b, double* y, Offset n) {
  run(ElementBody<Axpby>{{a, x, b, y}, n});
}

// One weight a column: a, b (k,); x, y (n / k, k).
struct AxpbyWeights {
  const double* a;
  const double* x;
  const double* b;
  double* y;
  Offset k;
  KANTOR_TEAM void operator()(Offset i) const {
    const double weight = b[i % k];
    y[i] = kantor::axpby(a[i % k], x[i], weight, weight == 0.0 ? 0.0 : y[i]);
  }
};

KANTOR_ENTRY kantor_axpby_columns(const double* a, const double* x, const double* b, double* y, Offset k, Offset n) {
  run(ElementBody<AxpbyWeights>{{a, x, b, y, k}, n});
}

KANTOR_ENTRY kantor_multiply(const double* x, const double* y, double* out, Offset n) {
  run(ElementBody<Multiply>{{x, y, out}, n});
}

KANTOR_ENTRY kantor_clip(const double* x, const double* lower, const double* upper, double* out, Offset n) {
  run(ElementBody<Clip>{{x, lower, upper, out}, n});
}

KANTOR_ENTRY kantor_prox(const uint8_t* kind, const double* a, const double* b, const double* e, double tau,
                         const double* v, double* out, Offset n) {
  run(ElementBody<Prox>{{kind, a, b, e, tau, v, out}, n});
}

// ---- products and reductions, by the number of columns that a block serves; "single": of a float32 matrix -----------

#define KANTOR_BY_COLUMNS(C)                                                                                        \
  KANTOR_ENTRY kantor_product_##C(const BucketedCsr<double>* A, const double* x, Offset k, double* partials,        \
                                  double* out) {                                                                    \
    run(ProductBody<C, double, StoreSum>{*A, x, k, partials, {out, k}});                                            \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_product_single_##C(const BucketedCsr<float>* A, const double* x, Offset k, double* partials,  \
                                         double* out) {                                                             \
    run(ProductBody<C, float, StoreSum>{*A, x, k, partials, {out, k}});                                             \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_product_giant_##C(const RowBuckets* rows, Offset k, const double* partials, double* out) {    \
    run(GiantBody<C, StoreSum>{*rows, k, partials, {out, k}});                                                      \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_dot_##C(const ReduceItem* items, Offset k, Offset most_chunks, double* partials) {            \
    run(ReduceBody<C, Product, const ReduceItem*>{items, k, most_chunks, partials});                                \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_dot_chunks_##C(const ReduceItem* items, Offset k, Offset most_chunks, const double* partials, \
                                     double* results) {                                                             \
    run(ReduceChunksBody<C, Sum, const ReduceItem*>{items, k, most_chunks, partials, results});                     \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_largest_##C(const ReduceItem* items, Offset k, Offset most_chunks, double* partials) {        \
    run(ReduceBody<C, Magnitude, const ReduceItem*>{items, k, most_chunks, partials});                              \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_largest_chunks_##C(const ReduceItem* items, Offset k, Offset most_chunks,                     \
                                         const double* partials, double* results) {                                 \
    run(ReduceChunksBody<C, Largest, const ReduceItem*>{items, k, most_chunks, partials, results});                 \
  }

KANTOR_BY_COLUMNS(1)
KANTOR_BY_COLUMNS(2)
KANTOR_BY_COLUMNS(4)
KANTOR_BY_COLUMNS(8)
KANTOR_BY_COLUMNS(16)
KANTOR_BY_COLUMNS(32)

// ---- PDHG: set the control, the two products fused with their steps, the steps alone --------------------------------

KANTOR_ENTRY kantor_set_control(PdhgControl* control, double eta, double weight, Offset k) {
  run(SetControlBody{control, {eta, weight, k, k}});
}

// Name: last iteration of the block or not, with separable terms or not.
#define KANTOR_PRIMAL(NAME, LAST, TERMS)                                                                            \
  KANTOR_ENTRY kantor_primal_##NAME(const BucketedCsr<double>* A, const PdhgVectors* v, PdhgControl* control,       \
                                    double* partials) {                                                             \
    run(ProductBody<1, double, PrimalEnd<LAST, TERMS>>{*A, v->y, 1, partials, {*v, control}});                      \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_primal_single_##NAME(const BucketedCsr<float>* A, const PdhgVectors* v, PdhgControl* control, \
                                           double* partials) {                                                      \
    run(ProductBody<1, float, PrimalEnd<LAST, TERMS>>{*A, v->y, 1, partials, {*v, control}});                       \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_primal_giant_##NAME(const RowBuckets* rows, const PdhgVectors* v, PdhgControl* control,       \
                                          const double* partials) {                                                 \
    run(GiantBody<1, PrimalEnd<LAST, TERMS>>{*rows, 1, partials, {*v, control}});                                   \
  }                                                                                                                 \
  KANTOR_ENTRY kantor_primal_step_##NAME(const PdhgVectors* v, double eta, double weight, Offset k, Offset n) {     \
    run(StepBody<PrimalRow<LAST, TERMS>>{{*v, step_sizes(eta, weight, k)}, v->aty, n});                             \
  }

#define KANTOR_DUAL(NAME, LAST)                                                                                   \
  KANTOR_ENTRY kantor_dual_##NAME(const BucketedCsr<double>* A, const PdhgVectors* v, PdhgControl* control,       \
                                  double* partials) {                                                             \
    run(ProductBody<1, double, DualEnd<LAST>>{*A, v->x_reflected, 1, partials, {*v, control}});                   \
  }                                                                                                               \
  KANTOR_ENTRY kantor_dual_single_##NAME(const BucketedCsr<float>* A, const PdhgVectors* v, PdhgControl* control, \
                                         double* partials) {                                                      \
    run(ProductBody<1, float, DualEnd<LAST>>{*A, v->x_reflected, 1, partials, {*v, control}});                    \
  }                                                                                                               \
  KANTOR_ENTRY kantor_dual_giant_##NAME(const RowBuckets* rows, const PdhgVectors* v, PdhgControl* control,       \
                                        const double* partials) {                                                 \
    run(GiantBody<1, DualEnd<LAST>>{*rows, 1, partials, {*v, control}});                                          \
  }                                                                                                               \
  KANTOR_ENTRY kantor_dual_step_##NAME(const PdhgVectors* v, double eta, double weight, Offset k, Offset n) {     \
    run(StepBody<DualRow<LAST>>{{*v, step_sizes(eta, weight, k)}, v->ax, n});                                     \
  }

KANTOR_PRIMAL(plain, false, false)
KANTOR_PRIMAL(terms, false, true)
KANTOR_PRIMAL(last_plain, true, false)
KANTOR_PRIMAL(last_terms, true, true)
KANTOR_DUAL(plain, false)
KANTOR_DUAL(last_plain, true)

}  // namespace kantor::cuda
