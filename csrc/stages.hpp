// A third layout of a square matrix, for sweeps of block Gauss-Seidel: x <- A x + d, stage by stage, each stage of rows
// using what the stages before it have just computed.
//
// The columns are cut into windows as the rows are into stages, 2^bits each, and the rows of a stage into tasks for
// threads. The entries of a task in one window lie together, row by row as they came: to sort them so takes one pass
// that writes a few streams, a tenth of what tiles (tiles.hpp) cost, so that it pays for a dozen sweeps. A window of x
// stays in the second-level cache while it is gathered from. Values are float32: such sweeps are made inside iterative
// refinement.
#pragma once

#include "buffer.hpp"
#include "types.hpp"

namespace kantor {

constexpr int kLeastStageBits = 11, kMostStageBits = 16;

struct StageEntry {
  uint32_t place;  // row within its task << 16 | column within its window
  float value;
};

struct Stages {
  int bits = 0;
  Offset rows = 0;
  Offset count = 0;      // of stages, and of windows
  Offset tasks = 0;      // of each stage
  Offset task_rows = 0;  // a multiple of kStageChunk
  Buffer<Offset> start;  // (count * tasks * count + 1) first entry of each stage, task and window
  Buffer<StageEntry> entries;
};

// Bits that suit a matrix, or 0 if stages do not pay for it.
int stage_bits(const CsrView<double>& A);

// Sorts the entries of a square A into stages, O(nnz). How many tasks a stage has goes by the threads; no sum does.
Stages make_stages(const CsrView<double>& A, int bits);

// One sweep over all stages: x_stage <- A x + d in its rows, `inner` times with what the stage needs of itself, once
// with what it needs of others. Returns the sum of squares of what the first of these changed. The entries of a row are
// added in their order: the same bits for every number of threads.
double stage_sweep(const Stages& A, const double* d, double* x, Offset inner);

}  // namespace kantor
