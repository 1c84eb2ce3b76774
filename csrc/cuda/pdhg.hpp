// Blocks of reflected Halpern PDHG iterations on the device (kantor.backends.protocol.PdhgState).
#pragma once

#include <memory>

#include "products.hpp"
#include "vectors.hpp"

namespace kantor::cuda {

// The arrays of a state, by the names of PdhgState; terms may be null. Each stays owned by the caller's array.
struct PdhgArrays {
  DeviceArray c, lower, upper, row_lower, row_upper;
  DeviceArray x, x_anchor, x_hat, x_reflected, dx, aty;
  DeviceArray y, y_anchor, y_hat, dy, ax;
  std::shared_ptr<const Terms> terms;
};

struct StepState {
  double eta;
  double weight;
  Offset k;
};

// One half of an iteration where the product has been formed: aty = K'y, or ax = K x_reflected.
void primal_step(PdhgArrays& arrays, const StepState& state, bool last);
void dual_step(PdhgArrays& arrays, const StepState& state, bool last);

// Runs whole blocks for one state: products fused with their steps, repeated blocks as CUDA graphs (block_graphs.hpp).
class PdhgBlocks {
 public:
  PdhgBlocks();
  ~PdhgBlocks();

  // Queues `iterations` >= 1 iterations from iteration state.k; does not wait for them. K: rows x columns, and its
  // explicit transpose.
  template <class Value>
  void run(const DeviceCsr<Value>& K, const DeviceCsr<Value>& transpose, PdhgArrays& arrays, const StepState& state,
           Offset iterations);

  size_t graphs() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace kantor::cuda
