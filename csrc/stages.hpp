// A third layout of a square matrix, for sweeps of block Gauss-Seidel: x <- A x + d, stage by stage, each stage of rows
// using what the stages before it have just computed.
//
// The rows are cut into stages, the rows of a stage into tasks for threads, the columns into windows. The entries of a
// task in one window lie together, row by row as they came: to sort them so takes one pass that writes a few streams, a
// tenth of what tiles (tiles.hpp) cost, so that it pays for a dozen sweeps. A window of x stays in the second-level
// cache while a task gathers from it, and a task has rows enough to use most of what it fetches. Values and x are
// float32 (products of two are exact in float64, sums are float64): such sweeps are made inside iterative refinement.
#pragma once

#include "buffer.hpp"
#include "types.hpp"

namespace kantor {

constexpr int kLeastStageBits = 11, kMostStageBits = 24;
constexpr int kMostWindowBits = 16;

struct StageEntry {
  uint32_t place;  // row within its task << 16 | column within its window
  float value;
};

struct Stages {
  int bits = 0;         // a stage has 2^bits rows
  int window_bits = 0;  // a window has 2^window_bits columns, no more than a stage
  Offset rows = 0;
  Offset count = 0;      // of stages
  Offset windows = 0;    // of columns
  Offset tasks = 0;      // of each stage
  Offset task_rows = 0;  // a multiple of kStageChunk
  Buffer<Offset> start;  // (count * tasks * windows + 1) first entry of each stage, task and window
  Buffer<StageEntry> entries;
};

// Bits that suit a matrix, or 0 if stages do not pay for it.
int stage_bits(const CsrView<double>& A);
int window_bits(int stage_bits);

// Sorts the entries of a square A into stages, O(nnz). How many tasks a stage has goes by the threads; no sum does.
Stages make_stages(const CsrView<double>& A, int bits, int window_bits);

// One sweep over all stages: x_stage <- A x + d in its rows, `inner` times with what the stage needs of itself, once
// with what it needs of others. Returns the sum of squares of what the first of these changed. The entries of a row are
// added in their order: the same bits for every number of threads.
double stage_sweep(const Stages& A, const double* d, float* x, Offset inner);

}  // namespace kantor
