// Row plans, transposes, products and tiles of the CPU core.
#include "cpu_check.hpp"

#if defined(__linux__)
#include <sys/mman.h>

#include <functional>
#include <memory>
#endif

namespace kantor::test {
namespace {

// A million nonzeros in one row, an empty row, single entries and rows of medium length.
TestMatrix uneven_matrix(Offset cols) {
  return random_matrix(40, cols, 11, [](Offset row) -> Offset {
    if (row == 17) return 1000000;
    if (row == 5) return 0;
    return row % 4 == 0 ? 70000 : row % 7;
  });
}

void check_plan(const TestMatrix& A, const std::string& where) {
  const RowPlan plan = plan_rows(A.row_ptr.data(), A.rows());
  Offset next = 0, parts = 0;
  for (const RowTask& task : plan.tasks) {
    CHECK(task.row_begin == next && task.row_end > next && task.row_end - next <= kTaskRows, where);
    next = task.row_end;
    const Offset begin = A.row_ptr[static_cast<size_t>(task.row_begin)];
    const Offset end = A.row_ptr[static_cast<size_t>(task.row_end)];
    if (task.parts == 0) {
      CHECK(end - begin < kTaskCost || task.row_end == task.row_begin + 1, where);
      continue;
    }
    CHECK(task.first_part == parts && task.row_end == task.row_begin + 1 && end - begin >= kGiantRow, where);
    for (Offset p = 0; p < task.parts; ++p, ++parts) {
      const GiantPart& part = plan.parts[static_cast<size_t>(parts)];
      CHECK(part.begin == begin + p * kGiantPart, where);
      CHECK(part.end == (p + 1 < task.parts ? part.begin + kGiantPart : end), where);
    }
  }
  CHECK(next == A.rows() && parts == static_cast<Offset>(plan.parts.size()), where);
}

void test_plans() {
  check_plan(uneven_matrix(1000), "uneven");
  check_plan(TestMatrix{}, "no rows");
  for (const Offset rows : {1, 31, 33, 1024, 1025, 50000})
    check_plan(random_matrix(rows, 100, 3, [](Offset row) { return row % 9; }), std::to_string(rows) + " rows");
}

void check_product(const TestMatrix& A, Offset k, const std::string& name) {
  const Vector x = random_vector(A.cols * k, 5);
  Vector expected, scale, first;
  plain_product(A, x, k, expected, scale);
  const auto matrix = A.prepared();
  for_each_way([&](const std::string& way) {
    const std::string where = name + ", k = " + std::to_string(k) + ", " + way;
    Vector out(expected.size(), kNaN);
    spmm(matrix, x.data(), k, out.data());
    bool close = true;
    for (size_t i = 0; i < out.size(); ++i) close &= std::fabs(out[i] - expected[i]) <= 1e-13 * scale[i];
    CHECK(close, where);
    if (first.empty()) first = out;
    CHECK(same_bits(out, first), where);
  });
}

void test_products() {
  const TestMatrix uneven = uneven_matrix(3000);
  for (const Offset k : {1, 2, 3, 5, 8, 13}) check_product(uneven, k, "uneven");
  check_product(transposed(uneven), 1, "uneven transposed");
  for (const Offset n : kSizes)
    check_product(random_matrix(n, n, 7, [](Offset row) { return row % 5; }), 1, std::to_string(n) + " rows");
  for (const Offset k : {1, 4}) check_product(random_matrix(33, 0, 7, [](Offset) { return 0; }), k, "no columns");
}

// A float32 matrix gives to the bit what the double matrix of the same numbers gives.
void test_single_values() {
  TestMatrix A = uneven_matrix(3000);
  const auto single = A.single();
  const auto wide = A.prepared();
  for (const Offset k : {1, 3, 8, 13}) {
    const Vector x = random_vector(A.cols * k, 5);
    for_each_way([&](const std::string& way) {
      Vector expected(static_cast<size_t>(A.rows() * k), kNaN), out(expected);
      spmm(wide, x.data(), k, expected.data());
      spmm(single, x.data(), k, out.data());
      CHECK(same_bits(out, expected), "k = " + std::to_string(k) + ", " + way);
    });
  }
}

// x - A x, and a sweep in single precision with its sums of squares: the same bits each way.
void test_net_product_and_sweep() {
  const TestMatrix A = random_matrix(3000, 3000, 29, [](Offset row) -> Offset { return row == 9 ? 70000 : row % 23; });
  const auto matrix = A.prepared();
  for (const Offset k : {1, 9, 16, 27}) {
    const Vector x = random_vector(A.cols * k, 7);
    Vector expected, scale, first;
    plain_product(A, x, k, expected, scale);
    const std::vector<float> r(x.begin(), x.end());
    for_each_way([&](const std::string& way) {
      const std::string where = "k = " + std::to_string(k) + ", " + way;
      Vector net(x.size(), kNaN), product(net), squares(static_cast<size_t>(k), kNaN);
      std::vector<float> out(x.size(), 1e30F), sum(r);
      spmm(matrix, x.data(), k, product.data());
      net_product(matrix, x.data(), k, net.data());
      single_sweep(matrix, r.data(), k, sum.data(), out.data(), squares.data());
      bool netted = true, close = true, added = true;
      Vector plain(static_cast<size_t>(k), 0.0);
      for (size_t i = 0; i < out.size(); ++i) {
        netted &= net[i] == x[i] - product[i];
        close &= std::fabs(static_cast<double>(out[i]) - expected[i]) <= 1e-5 * scale[i];
        added &= sum[i] == r[i] + out[i];
        plain[i % static_cast<size_t>(k)] += static_cast<double>(out[i]) * static_cast<double>(out[i]);
      }
      CHECK(netted && close && added, where);
      CHECK(distance(squares, plain) <= 1e-12, where);
      squares.insert(squares.end(), out.begin(), out.end());
      if (first.empty()) first = squares;
      CHECK(same_bits(squares, first), where);
    });
  }
}

void test_transpose() {
  const TestMatrix A = uneven_matrix(3000);
  const TestMatrix T = transposed(A);
  const TestMatrix back = transposed(T);
  CHECK(T.rows() == A.cols && T.cols == A.rows() && back.row_ptr == A.row_ptr, "shape");
  // Columns of a row come back in rising order; compare products, which do not depend on it much, and the row sums.
  for_each_way([&](const std::string& way) {
    const TestMatrix again = transposed(A);
    CHECK(again.row_ptr == T.row_ptr && again.col_idx == T.col_idx && same_bits(again.values, T.values), way);
  });
  const Vector x = random_vector(A.rows(), 3), y = random_vector(A.cols, 4);
  Vector ty(static_cast<size_t>(A.rows())), tx(static_cast<size_t>(A.cols));
  spmv(A.prepared(), y.data(), ty.data());
  spmv(T.prepared(), x.data(), tx.data());
  double left = 0.0, right = 0.0;
  for (size_t i = 0; i < x.size(); ++i) left += x[i] * ty[i];
  for (size_t j = 0; j < y.size(); ++j) right += y[j] * tx[j];
  CHECK(std::fabs(left - right) <= 1e-10 * (1.0 + std::fabs(left)), "x.(A y) = (A'x).y");
}

// Each entry stands once, in its tile or in a part of a giant row; entries of one tile rise by cache line of x.
void test_tiles() {
  const TestMatrix A = random_matrix(150000, 200000, 19, [](Offset row) { return row == 700 ? 90000 : row % 13; });
  CHECK(tile_rows(A.view()) > 0, "large");
  CHECK(tile_rows(random_matrix(2000, 2000, 1, [](Offset) { return 9; }).view()) == 0, "small");
  const auto tiles = make_tiles(A.view(), 5000);
  const auto count = [](Offset row, Offset column) {
    return static_cast<double>(row) + 0.5 * static_cast<double>(column);
  };
  double sum = 0.0, expected = 0.0, values = 0.0;
  Offset entries = 0;
  bool sorted = true, inside = true;
  for (size_t b = 0; b < tiles.blocks.size(); ++b) {
    const RowBlock& block = tiles.blocks[b];
    CHECK(block.row_begin == static_cast<Offset>(b) * 5000, "blocks");
    for (Offset w = 0; w < tiles.windows; ++w) {
      const Offset* start = tiles.start.data() + static_cast<Offset>(b) * tiles.windows + w;
      for (Offset i = start[0]; i < start[1]; ++i, ++entries) {
        const Offset local = tiles.place[i] & (kWindow - 1);
        const Offset row = block.row_begin + (tiles.place[i] >> kWindowBits), column = w * kWindow + local;
        inside &= row < block.row_end && column < A.cols;
        sorted &= i == start[0] || local / kLine >= (tiles.place[i - 1] & (kWindow - 1)) / kLine;
        sum += count(row, column);
        values += tiles.values[i];
      }
    }
  }
  for (const GiantRow& giant : tiles.giants)
    for (Offset p = giant.first_part; p < giant.first_part + giant.parts; ++p)
      for (Offset i = tiles.parts[static_cast<size_t>(p)].begin; i < tiles.parts[static_cast<size_t>(p)].end;
           ++i, ++entries) {
        sum += count(giant.row, A.col_idx[static_cast<size_t>(i)]);
        values += A.values[static_cast<size_t>(i)];
      }
  for (Offset row = 0; row < A.rows(); ++row)
    for (Offset i = A.row_ptr[static_cast<size_t>(row)]; i < A.row_ptr[static_cast<size_t>(row) + 1]; ++i) {
      expected += count(row, A.col_idx[static_cast<size_t>(i)]);
      values -= A.values[static_cast<size_t>(i)];
    }
  CHECK(inside && sorted && entries == A.nnz() && tiles.giants.size() == 1, "entries");
  CHECK(sum == expected && std::fabs(values) < 1e-8, "sums");  // halves of whole numbers: exact
}

#if defined(__linux__)
// Room for n elements of which only those that are touched take memory.
template <typename T>
std::unique_ptr<T, std::function<void(T*)>> sparse_room(Offset n) {
  const size_t bytes = static_cast<size_t>(n) * sizeof(T);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  return {static_cast<T*>(memory), [bytes](T* held) { munmap(held, bytes); }};
}

// A row of more than 2^31 entries and two short ones behind it: the cut of the long one, the sums of the short ones.
void test_more_than_2_31_entries() {
  const Offset first = (Offset{1} << 31) + 70001, total = first + 8;
  const std::vector<Offset> row_ptr{0, first, first + 3, total};
  const RowPlan plan = plan_rows(row_ptr.data(), 3);
  CHECK(plan.parts.size() == static_cast<size_t>((first + kGiantPart - 1) / kGiantPart), "parts");
  CHECK(plan.parts.back().end == first && plan.parts[1].begin == kGiantPart, "parts");
  CHECK(plan.tasks.size() == 2 && plan.tasks[1].row_begin == 1 && plan.tasks[1].row_end == 3, "tasks");
  const auto values = sparse_room<double>(total);
  const auto columns = sparse_room<Index>(total);
  if (!values || !columns) return;  // no address space
  for (Offset i = 0; i < 8; ++i) {
    columns.get()[first + i] = static_cast<Index>(i);
    values.get()[first + i] = static_cast<double>(i + 1);
  }
  const CsrView<double> A{3, 8, row_ptr.data(), columns.get(), values.get()};
  const Vector x{1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7};
  for_each_way([&](const std::string& way) {
    Vector one(2);
    matrix_loops<double>().row_sums(A, x.data(), 1, 3, one.data());
    CHECK((one == Vector{321.0, 87654000.0}), way);
    matrix_loops<double>().row_sums_k(A, x.data(), 1, 1, 3, one.data());
    CHECK((one == Vector{321.0, 87654000.0}), way);
  });
}
#endif

// What the caller gets wrong is refused, by name, before anything is read through it.
template <typename Spoil>
std::string refusal(Spoil spoil) {
  TestMatrix A = random_matrix(9, 5, 1, [](Offset) { return 3; });
  Offset nnz = A.nnz();
  spoil(A, nnz);
  try {
    prepare(A.view(), nnz);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void test_refusals() {
  const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(refusal([](TestMatrix&, Offset&) {}).empty(), "sound");
  CHECK(says(refusal([](TestMatrix& A, Offset&) { A.row_ptr[0] = 1; }), "indptr[0] is 1"), "start");
  CHECK(says(refusal([](TestMatrix& A, Offset&) { A.row_ptr[4] = 2; }), "at row 3"), "falls");
  CHECK(says(refusal([](TestMatrix&, Offset& nnz) { --nnz; }), "indptr ends at 27, expected"), "end");
  CHECK(says(refusal([](TestMatrix& A, Offset&) { A.col_idx[7] = 5; }), "column index 5 at nonzero 7"), "too large");
  CHECK(says(refusal([](TestMatrix& A, Offset&) { A.col_idx[7] = -1; }), "column index -1 at nonzero 7"), "negative");
}

}  // namespace
}  // namespace kantor::test

int main() {
  using namespace kantor::test;
  test_plans();
  test_products();
  test_single_values();
  test_net_product_and_sweep();
  test_transpose();
  test_tiles();
#if defined(__linux__)
  test_more_than_2_31_entries();
#endif
  test_refusals();
  return report("products");
}
