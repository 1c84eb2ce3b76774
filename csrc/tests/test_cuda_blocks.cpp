// Blocks of PDHG iterations of csrc/cuda on the CPU: fused steps against plain loops, the two counters, recording and
// replay of graphs, errors and memory.
#include <functional>

#include "cuda_host.hpp"

namespace kantor::cuda::test {
namespace {

// ---- which blocks are recorded
// -----------------------------------------------------------------------------------------

// Runs blocks of the given lengths and writes down what happened: d launched directly, R recorded, r replayed.
class Diary {
 public:
  std::string run(const std::vector<std::uintptr_t>& buffers, const std::vector<Offset>& lengths) {
    std::string said;
    for (const Offset n : lengths) {
      graphs_.run(
          buffers, n, [&](Offset m) { said += "d" + std::to_string(m) + " "; },
          [&](Offset m) {
            said += "R" + std::to_string(m) + " ";
            return m;
          },
          [&](Offset m) { said += "r" + std::to_string(m) + " "; });
    }
    return said;
  }
  size_t kept() const { return graphs_.kept(); }

 private:
  BlockGraphs<Offset> graphs_;
};

void test_block_graphs() {
  Diary diary;
  CHECK(diary.run({1, 2}, {200, 200, 200}) == "d200 R200 r200 r200 ", "second use records, then replay");
  CHECK(diary.run({1, 2}, {1, 1, 1}) == "d1 d1 d1 ", "one iteration is never recorded");
  CHECK(diary.run({1, 3}, {200, 200}) == "d200 R200 r200 ", "other buffers, other graphs");
  CHECK(diary.run({1, 3}, {2, 2, 3, 3, 4, 4}) == "d2 R2 r2 d3 R3 r3 d4 R4 r4 ", "odd and even alike");
  CHECK(diary.kept() == kKeptGraphs, "no more than kKeptGraphs");
  CHECK(diary.run({1, 3}, {200, 5, 5, 200}) == "r200 d5 R5 r5 r200 ", "a used graph stays");
  CHECK(diary.run({1, 3}, {2}) == "R2 r2 ", "the least recently used was dropped, and is known to be worth it");
}

// ---- blocks against plain loops
// ---------------------------------------------------------------------------------------

struct Vectors {
  std::vector<double> c, lower, upper, x, x_anchor, x_hat, x_reflected, dx, aty;
  std::vector<double> row_lower, row_upper, y, y_anchor, y_hat, dy, ax;
  std::vector<uint8_t> kind;
  std::vector<double> a, b, e;
};

template <class Random>
Vectors start(Offset rows, Offset cols, Random& random) {
  Vectors v;
  for (auto* vector : {&v.c, &v.x, &v.x_anchor, &v.x_hat, &v.x_reflected, &v.dx, &v.aty})
    *vector = normals(cols, random);
  for (auto* vector : {&v.row_lower, &v.y, &v.y_anchor, &v.y_hat, &v.dy, &v.ax}) *vector = normals(rows, random);
  v.row_upper = v.row_lower;
  for (size_t i = 0; i < v.row_upper.size(); ++i) {
    if (i % 3 == 0) v.row_upper[i] = INFINITY;
    if (i % 3 == 1) v.row_upper[i] += 1.0;
    if (i % 7 == 5) v.row_lower[i] = -INFINITY;
  }
  v.lower.assign(static_cast<size_t>(cols), 0.0);
  v.upper.assign(static_cast<size_t>(cols), 2.0);
  for (size_t j = 0; j < v.upper.size(); j += 2) v.upper[j] = INFINITY;
  for (size_t j = 0; j < v.upper.size(); ++j) {
    v.kind.push_back(static_cast<uint8_t>(j % 6));
    v.a.push_back(0.5 + 0.1 * static_cast<double>(j % 11));
    v.b.push_back(1.0 + 0.2 * static_cast<double>(j % 5));
    v.e.push_back(0.4);
  }
  return v;
}

std::vector<double> product(const HostCsr& A, const std::vector<double>& x) {
  std::vector<double> out(static_cast<size_t>(A.rows()));
  for (size_t i = 0; i < out.size(); ++i)
    for (auto p = static_cast<size_t>(A.row_ptr[i]); p < static_cast<size_t>(A.row_ptr[i + 1]); ++p)
      out[i] += A.values[p] * x[static_cast<size_t>(A.col_idx[p])];
  return out;
}

void plain_block(const HostCsr& K, const HostCsr& transpose, Vectors& v, bool terms, const StepState& state, Offset n) {
  for (Offset it = 0; it < n; ++it) {
    const StepSizes step = step_sizes(state.eta, state.weight, state.k + it);
    v.aty = product(transpose, v.y);
    for (size_t j = 0; j < v.x.size(); ++j) {
      double hat = v.x[j] - step.tau * (v.c[j] - v.aty[j]);
      if (terms) hat = kantor::prox(v.kind[j], step.tau, hat, v.a[j], v.b[j], v.e[j]);
      v.x_hat[j] = kantor::clip(hat, v.lower[j], v.upper[j]);
      v.dx[j] = v.x_hat[j] - v.x[j];
      v.x_reflected[j] = 2.0 * v.x_hat[j] - v.x[j];
      v.x[j] = step.halpern * v.x_reflected[j] + (1.0 - step.halpern) * v.x_anchor[j];
    }
    v.ax = product(K, v.x_reflected);
    for (size_t i = 0; i < v.y.size(); ++i) {
      const double wanted = kantor::clip(v.ax[i] - v.y[i] / step.sigma, v.row_lower[i], v.row_upper[i]);
      v.y_hat[i] = v.y[i] + step.sigma * (wanted - v.ax[i]);
      v.dy[i] = v.y_hat[i] - v.y[i];
      v.y[i] = step.halpern * (2.0 * v.y_hat[i] - v.y[i]) + (1.0 - step.halpern) * v.y_anchor[i];
    }
  }
}

PdhgArrays on_device(const Vectors& v, bool terms) {
  const auto put = [](const std::vector<double>& host) { return test::on_device(host); };
  PdhgArrays s{put(v.c),        put(v.lower), put(v.upper),       put(v.row_lower), put(v.row_upper), put(v.x),
               put(v.x_anchor), put(v.x_hat), put(v.x_reflected), put(v.dx),        put(v.aty),       put(v.y),
               put(v.y_anchor), put(v.y_hat), put(v.dy),          put(v.ax),        nullptr};
  if (terms) {
    DeviceArray kind = empty(Dtype::kUint8, {static_cast<Offset>(v.kind.size())});
    upload(kind.data, v.kind.data(), kind.bytes());
    s.terms = std::make_shared<Terms>(Terms{kind, put(v.a), put(v.b), put(v.e)});
  }
  return s;
}

void check_close(const DeviceArray& got, const std::vector<double>& expected, const std::string& where) {
  const std::vector<double> host = on_host(got);
  double size = 1.0;
  for (const double value : expected) size = std::fmax(size, std::fabs(value));
  for (size_t i = 0; i < expected.size(); ++i) {
    const bool good = std::fabs(host[i] - expected[i]) <= 1e-12 * size;
    if (!good) return CHECK(good, where + ", element " + std::to_string(i));
  }
}

void check_vectors(const PdhgArrays& got, const Vectors& expected, const std::string& where) {
  check_close(got.x, expected.x, where + " x");
  check_close(got.y, expected.y, where + " y");
  check_close(got.x_hat, expected.x_hat, where + " x_hat");
  check_close(got.y_hat, expected.y_hat, where + " y_hat");
  check_close(got.dx, expected.dx, where + " dx");
  check_close(got.dy, expected.dy, where + " dy");
  check_close(got.aty, expected.aty, where + " aty");
  check_close(got.ax, expected.ax, where + " ax");
}

// Blocks of 3, 3, 3, 1, 3, 2, 3 iterations: direct, recorded and replayed ones, continued with changed step sizes.
void check_blocks(Offset rows, Offset cols, bool terms) {
  std::mt19937_64 random(23);
  std::uniform_int_distribution<Offset> length(0, 30);
  std::vector<Offset> lengths(static_cast<size_t>(rows));
  for (Offset& l : lengths) l = cols == 0 ? 0 : length(random);
  const HostCsr K = matrix_of(lengths, cols, random, false), transpose = transpose_of(K);
  const BucketLimits tiny{2, 5, 11, 4};
  const DeviceCsr<double> device(K.view(), tiny), device_transpose(transpose.view(), tiny);
  Vectors v = start(rows, cols, random);
  PdhgArrays arrays = on_device(v, terms);
  PdhgBlocks blocks;
  StepState state{0.02, 1.3, 4};
  const std::string where = std::to_string(rows) + " x " + std::to_string(cols) + (terms ? " with terms" : "");
  for (const Offset n : {3, 3, 3, 1, 3, 2, 3}) {
    blocks.run(device, device_transpose, arrays, state, n);
    plain_block(K, transpose, v, terms, state, n);
    check_vectors(arrays, v, where);
    state.k += n;
    state.weight *= 1.1;
  }
  CHECK(blocks.graphs() == 1, where);
  PdhgArrays moved = on_device(v, terms);  // same values, other addresses: nothing of the old graph may be replayed
  blocks.run(device, device_transpose, moved, state, 3);
  plain_block(K, transpose, v, terms, state, 3);
  check_vectors(moved, v, where + ", moved");
  state.k += 3;
  for (const bool last : {false, true}) {  // the steps alone, with the products that the block left
    Vectors w = v;
    w.aty = product(transpose, w.y);
    moved.aty = test::on_device(w.aty);
    primal_step(moved, state, last);
    plain_block(K, transpose, w, terms, state, 1);
    check_close(moved.x, w.x, where + " primal step");
    moved.ax = test::on_device(product(K, w.x_reflected));
    dual_step(moved, state, last);
    check_close(moved.y, w.y, where + " dual step");
    v = w;
    ++state.k;
  }
}

// The counters as the launches hand them on, without a graph.
void test_counters() {
  const HostCsr none{};
  PdhgControl control{0.5, 1.0, 7, 7};
  const PdhgVectors v{};
  const BuiltBuckets built = build_buckets(none.row_ptr.data(), 0);
  const BucketedCsr<double> A{none.view(), built.on_host(), 0};
  for (Offset i = 0; i < 5; ++i) {
    CHECK(control.k_primal == 7 + i, "before the primal launch");
    launch({product_blocks(A.rows, 0, 1)}, stream(),
           ProductBody<1, double, PrimalEnd<false, false>>{A, nullptr, 1, nullptr, {v, &control}});
    CHECK(control.k_primal == 7 + i && control.k_dual == 7 + i, "the primal launch hands over");
    launch({product_blocks(A.rows, 0, 1)}, stream(),
           ProductBody<1, double, DualEnd<false>>{A, nullptr, 1, nullptr, {v, &control}});
  }
  CHECK(control.k_primal == 12, "five iterations");
}

// ---- errors and memory
// ------------------------------------------------------------------------------------------------

std::string message_of(const std::function<void()>& act, ErrorCode code) {
  try {
    act();
  } catch (const Error& error) {
    CHECK(error.code() == code, error.what());
    return error.what();
  }
  return "nothing thrown";
}

void check_message(const std::function<void()>& act, ErrorCode code, const std::vector<std::string>& parts) {
  const std::string said = message_of(act, code);
  for (const std::string& part : parts) CHECK(said.find(part) != std::string::npos, said + " lacks " + part);
}

void test_errors() {
  host::machine().next_error = cudaErrorMemoryAllocation;
  check_message([] { allocate(4096); }, ErrorCode::kRuntime, {"out of device memory", "4096 bytes", "device.cu:"});
  host::machine().next_error = cudaErrorInvalidValue;
  check_message([] { synchronise(); }, ErrorCode::kRuntime, {"cudaStreamSynchronize", "device.cu:"});
  const HostCsr bad_column{2, {0, 2}, {0, 2}, {1.0, 1.0}}, falls{2, {0, 2, 1}, {0, 1}, {1.0, 1.0}};
  check_message([&] { DeviceCsr<double>(bad_column.view(), {}); }, ErrorCode::kInvalidArgument,
                {"nonzero 1", "column 2", "0 .. 1"});
  check_message([&] { DeviceCsr<double>(falls.view(), {}); }, ErrorCode::kInvalidArgument, {"row_ptr falls at row 1"});
  DeviceArray x = test::on_device({1.0, 2.0}), y = test::on_device({1.0, 2.0, 3.0});
  check_message([&] { axpby({1.0}, x, {1.0}, y); }, ErrorCode::kInvalidArgument, {"x: shape (2,)", "expected (3,)"});
  check_message([&] { axpby({1.0, 2.0}, y, {1.0}, y); }, ErrorCode::kInvalidArgument, {"a: 2 weights"});
  y.writable = false;
  check_message([&] { axpby({1.0}, y, {1.0}, y); }, ErrorCode::kInvalidArgument, {"y: is read-only"});
  host::machine().devices = 0;
  CHECK(device_status().count == 0 && !device_status().reason.empty(), "a reason");
  host::machine().devices = 1;
}

// A graph that cannot be made is an error, and the stream is usable afterwards.
void test_failed_recording() {
  std::mt19937_64 random(29);
  const HostCsr K = matrix_of(std::vector<Offset>{2, 3}, 3, random, false), transpose = transpose_of(K);
  const DeviceCsr<double> device(K.view(), {}), device_transpose(transpose.view(), {});
  Vectors v = start(2, 3, random);
  PdhgArrays arrays = on_device(v, false);
  PdhgBlocks blocks;
  const StepState state{0.02, 1.0, 0};
  blocks.run(device, device_transpose, arrays, state, 2);
  host::machine().next_error = cudaErrorInvalidValue;
  check_message([&] { blocks.run(device, device_transpose, arrays, state, 2); }, ErrorCode::kRuntime, {"pdhg.cu:"});
  CHECK(blocks.graphs() == 0 && !stream()->capturing, "nothing half-made is kept");
  arrays = on_device(v, false);
  blocks.run(device, device_transpose, arrays, state, 2);
  plain_block(K, transpose, v, false, state, 2);
  check_vectors(arrays, v, "after a failure");
}

}  // namespace
}  // namespace kantor::cuda::test

int main() {
  using namespace kantor::cuda;
  using namespace kantor::cuda::test;
  test_block_graphs();
  test_counters();
  scratch(1);
  const long before = host::machine().allocations;
  for (const bool terms : {false, true}) {
    check_blocks(0, 0, terms);
    check_blocks(0, 5, terms);
    check_blocks(5, 0, terms);
    check_blocks(1, 1, terms);
    check_blocks(33, 31, terms);
    check_blocks(31, 33, terms);
    check_blocks(300, 400, terms);
  }
  test_errors();
  test_failed_recording();
  CHECK(host::machine().allocations == before, "every allocation was freed");
  return report("blocks of csrc/cuda on the host");
}
