// The stream and the scratch memory that the .cu files share.
#pragma once

#include "device.hpp"
#include "runtime.hpp"

namespace kantor::cuda {

cudaStream_t stream();

// At least `count` doubles, the same memory on every call unless it has to grow; valid until the next call. Uses follow
// each other in stream order, so two never overlap.
double* scratch(Offset count);

}  // namespace kantor::cuda
