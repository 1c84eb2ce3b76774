#include "block_graphs.hpp"
#include "pdhg.hpp"
#include "pdhg_steps.hpp"
#include "product_launch.hpp"
#include "vector_bodies.hpp"

namespace kantor::cuda {

// An instantiated graph, destroyed with its owner.
class Recorded {
 public:
  explicit Recorded(cudaGraphExec_t exec) : exec_(exec) {}
  Recorded(Recorded&& other) noexcept : exec_(other.exec_) { other.exec_ = nullptr; }
  Recorded& operator=(Recorded&& other) noexcept {
    std::swap(exec_, other.exec_);
    return *this;
  }
  ~Recorded() {
    if (exec_ == nullptr) return;
    cudaStreamSynchronize(stream());  // it may be running
    cudaGraphExecDestroy(exec_);
    cudaGetLastError();
  }

  cudaGraphExec_t get() const { return exec_; }

 private:
  cudaGraphExec_t exec_;
};

namespace {

TermsView view(const std::shared_ptr<const Terms>& terms, Offset n) {
  if (terms == nullptr) return {};
  for (const auto& [name, array] : {std::pair{"terms.kind", &terms->kind},
                                    {"terms.a", &terms->a},
                                    {"terms.b", &terms->b},
                                    {"terms.e", &terms->e}}) {
    require_shape(name, *array, {n});
  }
  return {static_cast<const uint8_t*>(terms->kind.typed(Dtype::kUint8, "terms.kind")), terms->a.read("terms.a"),
          terms->b.read("terms.b"), terms->e.read("terms.e")};
}

PdhgVectors view(PdhgArrays& s) {
  const std::vector<Offset> columns{s.x.rows()}, rows{s.y.rows()};
  const std::pair<const char*, DeviceArray*> by_column[] = {{"c", &s.c},
                                                            {"lower", &s.lower},
                                                            {"upper", &s.upper},
                                                            {"x", &s.x},
                                                            {"x_anchor", &s.x_anchor},
                                                            {"x_hat", &s.x_hat},
                                                            {"x_reflected", &s.x_reflected},
                                                            {"dx", &s.dx},
                                                            {"aty", &s.aty}};
  const std::pair<const char*, DeviceArray*> by_row[] = {{"row_lower", &s.row_lower},
                                                         {"row_upper", &s.row_upper},
                                                         {"y", &s.y},
                                                         {"y_anchor", &s.y_anchor},
                                                         {"y_hat", &s.y_hat},
                                                         {"dy", &s.dy},
                                                         {"ax", &s.ax}};
  for (const auto& [name, array] : by_column) require_shape(name, *array, columns);
  for (const auto& [name, array] : by_row) require_shape(name, *array, rows);
  PdhgVectors v{};
  v.c = s.c.read("c");
  v.lower = s.lower.read("lower");
  v.upper = s.upper.read("upper");
  v.x_anchor = s.x_anchor.read("x_anchor");
  v.x = s.x.write("x");
  v.x_hat = s.x_hat.write("x_hat");
  v.x_reflected = s.x_reflected.write("x_reflected");
  v.dx = s.dx.write("dx");
  v.aty = s.aty.write("aty");
  v.row_lower = s.row_lower.read("row_lower");
  v.row_upper = s.row_upper.read("row_upper");
  v.y_anchor = s.y_anchor.read("y_anchor");
  v.y = s.y.write("y");
  v.y_hat = s.y_hat.write("y_hat");
  v.dy = s.dy.write("dy");
  v.ax = s.ax.write("ax");
  v.terms = view(s.terms, s.x.rows());
  return v;
}

template <class Row>
void launch_step(const Row& row, const double* sums, Offset n) {
  launch({element_blocks(n)}, stream(), StepBody<Row>{row, sums, n});
}

}  // namespace

// What one block needs to know, whichever way it is issued.
template <class Value>
struct Issue {
  const DeviceCsr<Value>& K;
  const DeviceCsr<Value>& transpose;
  PdhgVectors v;
  PdhgControl* control;

  template <bool Last>
  void iteration() const {
    if (v.terms.kind == nullptr) {
      launch_product<1>(transpose.view(), v.y, 1, transpose.partials(), PrimalEnd<Last, false>{v, control});
    } else {
      launch_product<1>(transpose.view(), v.y, 1, transpose.partials(), PrimalEnd<Last, true>{v, control});
    }
    launch_product<1>(K.view(), v.x_reflected, 1, K.partials(), DualEnd<Last>{v, control});
  }

  void block(Offset iterations) const {
    for (Offset i = 0; i + 1 < iterations; ++i) iteration<false>();
    iteration<true>();
  }
};

template <class Value>
Recorded record(const Issue<Value>& issue, Offset iterations) {
  KANTOR_CUDA(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal));
  cudaGraph_t graph = nullptr;
  try {
    issue.block(iterations);
  } catch (...) {
    if (cudaStreamEndCapture(stream(), &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  KANTOR_CUDA(cudaStreamEndCapture(stream(), &graph));
  cudaGraphExec_t exec = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&exec, graph, 0);
  KANTOR_CUDA(cudaGraphDestroy(graph));
  KANTOR_CUDA(error);
  return Recorded(exec);
}

// Every address and size a recorded launch depends on.
template <class Value>
BlockGraphs<Recorded>::Fingerprint fingerprint(const Issue<Value>& issue) {
  BlockGraphs<Recorded>::Fingerprint print;
  const auto add = [&](const auto& plain) {
    static_assert(sizeof(plain) % sizeof(std::uintptr_t) == 0, "only 8-byte members");
    const auto* words = reinterpret_cast<const std::uintptr_t*>(&plain);
    print.insert(print.end(), words, words + sizeof(plain) / sizeof(std::uintptr_t));
  };
  add(issue.v);
  add(issue.K.view());
  add(issue.transpose.view());
  print.push_back(reinterpret_cast<std::uintptr_t>(issue.K.partials()));
  print.push_back(reinterpret_cast<std::uintptr_t>(issue.transpose.partials()));
  return print;
}

void primal_step(PdhgArrays& arrays, const StepState& state, bool last) {
  const PdhgVectors v = view(arrays);
  const StepSizes step = step_sizes(state.eta, state.weight, state.k);
  const Offset n = arrays.x.rows();
  const bool terms = v.terms.kind != nullptr;
  if (last && terms) return launch_step(PrimalRow<true, true>{v, step}, v.aty, n);
  if (last) return launch_step(PrimalRow<true, false>{v, step}, v.aty, n);
  if (terms) return launch_step(PrimalRow<false, true>{v, step}, v.aty, n);
  launch_step(PrimalRow<false, false>{v, step}, v.aty, n);
}

void dual_step(PdhgArrays& arrays, const StepState& state, bool last) {
  const PdhgVectors v = view(arrays);
  const StepSizes step = step_sizes(state.eta, state.weight, state.k);
  if (last) return launch_step(DualRow<true>{v, step}, v.ax, arrays.y.rows());
  launch_step(DualRow<false>{v, step}, v.ax, arrays.y.rows());
}

struct PdhgBlocks::Implementation {
  std::shared_ptr<void> control = allocate(sizeof(PdhgControl));
  BlockGraphs<Recorded> graphs;
};

PdhgBlocks::PdhgBlocks() : implementation_(std::make_unique<Implementation>()) {}

PdhgBlocks::~PdhgBlocks() = default;

template <class Value>
void PdhgBlocks::run(const DeviceCsr<Value>& K, const DeviceCsr<Value>& transpose, PdhgArrays& arrays,
                     const StepState& state, Offset iterations) {
  KANTOR_REQUIRE(iterations >= 1, "iterations: " + std::to_string(iterations) + ", expected at least 1");
  KANTOR_REQUIRE(K.rows() == transpose.cols() && K.cols() == transpose.rows() && K.nnz() == transpose.nnz(),
                 "transpose: its shape is not that of K'");
  require_shape("x", arrays.x, {K.cols()});
  require_shape("y", arrays.y, {K.rows()});
  auto* control = static_cast<PdhgControl*>(implementation_->control.get());
  const Issue<Value> issue{K, transpose, view(arrays), control};
  launch({1}, stream(), SetControlBody{control, {state.eta, state.weight, state.k, state.k}});
  implementation_->graphs.run(
      fingerprint(issue), iterations, [&](Offset n) { issue.block(n); }, [&](Offset n) { return record(issue, n); },
      [&](const Recorded& graph) { KANTOR_CUDA(cudaGraphLaunch(graph.get(), stream())); });
}

template void PdhgBlocks::run(const DeviceCsr<double>& K, const DeviceCsr<double>& transpose, PdhgArrays& arrays,
                              const StepState& state, Offset iterations);
template void PdhgBlocks::run(const DeviceCsr<float>& K, const DeviceCsr<float>& transpose, PdhgArrays& arrays,
                              const StepState& state, Offset iterations);

size_t PdhgBlocks::graphs() const { return implementation_->graphs.kept(); }

}  // namespace kantor::cuda
