// Row plans, transposes, products and tiles of the CPU core.
#include "cpu_check.hpp"

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

void check_plan(const TestMatrix& A, const PlanLimits& limits, const std::string& where) {
  const RowPlan plan = plan_rows(A.row_ptr.data(), A.rows(), limits);
  Offset next = 0, partials = 0;
  for (const RowTask& task : plan.tasks) {
    if (task.giant < 0) {
      CHECK(task.row_begin == next && task.row_end > task.row_begin, where);
      CHECK(task.row_end - task.row_begin <= limits.task_rows && task.row_end - task.row_begin <= plan.task_rows,
            where);
      next = task.row_end;
      continue;
    }
    const GiantRow& giant = plan.giants[static_cast<size_t>(task.giant)];
    CHECK(task.row_begin == giant.row && task.row_end == giant.row + 1, where);
    CHECK(task.row_begin == (task.part == 0 ? next : next - 1), where);
    CHECK(giant.first_partial + task.part == partials, where);
    ++partials;
    next = task.row_end;
  }
  CHECK(next == A.rows() && partials == plan.partials, where);
}

void test_plans() {
  check_plan(uneven_matrix(1000), PlanLimits{}, "uneven");
  check_plan(TestMatrix{}, PlanLimits{}, "no rows");
  for (const Offset rows : {1, 31, 33, 5000}) {
    const TestMatrix A = random_matrix(rows, 100, 3, [](Offset row) { return row % 9; });
    check_plan(A, PlanLimits{}, std::to_string(rows) + " rows");
    check_plan(A, PlanLimits{20, 3, 7}, std::to_string(rows) + " rows, tiny tasks");
  }
}

void check_product(const TestMatrix& A, Offset k, const std::string& name) {
  const Vector x = random_vector(A.cols * k, 5);
  Vector expected, scale, first;
  plain_product(A, x, k, expected, scale);
  const Matrix matrix = A.prepared();
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

// Each entry stands once in its tile; entries of one block and window rise by cache line of x.
void test_tiles() {
  const TestMatrix A = random_matrix(150000, 200000, 19, [](Offset row) { return row == 700 ? 90000 : row % 13; });
  CHECK(worth_tiling(A.view()), "large");
  CHECK(!worth_tiling(random_matrix(2000, 2000, 1, [](Offset) { return 9; }).view()), "small");
  const Tiles tiles = make_tiles(A.view());
  Vector row_sums(static_cast<size_t>(A.rows()), 0.0), plain(row_sums);
  Offset entries = 0;
  bool sorted = true, inside = true;
  for (size_t t = 0; t < tiles.plan.tasks.size(); ++t) {
    const RowTask& task = tiles.plan.tasks[t];
    for (Offset w = 0; w < tiles.windows; ++w) {
      const Offset begin = tiles.start[static_cast<Offset>(t) * tiles.windows + w];
      const Offset end = tiles.start[static_cast<Offset>(t) * tiles.windows + w + 1];
      for (Offset i = begin; i < end; ++i, ++entries) {
        const Offset row = task.row_begin + (tiles.place[i] >> kWindowBits);
        const Offset column = w * kWindow + (tiles.place[i] & (kWindow - 1));
        inside &= task.giant < 0 && row < task.row_end && column < A.cols;
        sorted &=
            i == begin || (tiles.place[i] & (kWindow - 1)) / kLine >= (tiles.place[i - 1] & (kWindow - 1)) / kLine;
        row_sums[static_cast<size_t>(row)] += tiles.values[i] * static_cast<double>(column + 1);
      }
    }
  }
  for (const GiantRow& giant : tiles.plan.giants)
    for (Offset i = A.row_ptr[static_cast<size_t>(giant.row)]; i < A.row_ptr[static_cast<size_t>(giant.row) + 1];
         ++i, ++entries)
      row_sums[static_cast<size_t>(giant.row)] +=
          A.values[static_cast<size_t>(i)] * (A.col_idx[static_cast<size_t>(i)] + 1.0);
  for (Offset row = 0; row < A.rows(); ++row)
    for (Offset i = A.row_ptr[static_cast<size_t>(row)]; i < A.row_ptr[static_cast<size_t>(row) + 1]; ++i)
      plain[static_cast<size_t>(row)] += A.values[static_cast<size_t>(i)] * (A.col_idx[static_cast<size_t>(i)] + 1.0);
  CHECK(inside && sorted && entries == A.nnz(), "entries");
  CHECK(tiles.plan.giants.size() == 1 && distance(row_sums, plain) < 1e-9, "sums");
}

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
  test_transpose();
  test_tiles();
  test_refusals();
  return report("products");
}
