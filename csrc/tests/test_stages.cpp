// Sweeps over stages against plain loops, bit for bit, for several cuts, sizes and numbers of threads.
#include <algorithm>
#include <utility>

#include "cpu_check.hpp"
#include "stages.hpp"

namespace kantor::test {
namespace {

using Singles = std::vector<float>;

struct Table {
  std::vector<Offset> row_ptr{0};
  std::vector<Index> columns;
  Vector values;
  CsrView<double> view() const {
    const Offset n = static_cast<Offset>(row_ptr.size()) - 1;
    return {n, n, row_ptr.data(), columns.data(), values.data()};
  }
};

// Rows of 0 to 12 entries, and one of 5,000.
Table table_of(Offset n) {
  std::mt19937_64 random(7);
  Table table;
  for (Offset row = 0; row < n; ++row) {
    const Offset length = row == n / 2 ? 5000 : static_cast<Offset>(random() % 13);
    std::vector<Index> columns;
    for (Offset i = 0; i < length; ++i) columns.push_back(static_cast<Index>(random() % static_cast<uint64_t>(n)));
    std::sort(columns.begin(), columns.end());
    for (const Index column : columns) {
      table.columns.push_back(column);
      table.values.push_back(0.8 * static_cast<double>(random() % 1000) / 1e6);
    }
    table.row_ptr.push_back(static_cast<Offset>(table.columns.size()));
  }
  return table;
}

// The same sweep as it is defined: others first, then what a stage needs of itself, in the order of the entries.
double plain_sweep(const CsrView<double>& A, int bits, const Vector& d, Singles& x, Offset inner) {
  const Offset size = Offset{1} << bits;
  double change = 0.0;
  for (Offset first = 0; first < A.rows; first += size) {
    const Offset last = std::min(first + size, A.rows);
    Vector others(d.begin() + first, d.begin() + last), next(others.size());
    const auto add = [&](bool own, Vector& sums) {
      for (Offset row = first; row < last; ++row)
        for (Offset i = A.row_ptr[row]; i < A.row_ptr[row + 1]; ++i) {
          const Offset column = A.col_idx[i];
          if ((column >= first && column < last) == own)
            sums[static_cast<size_t>(row - first)] += static_cast<double>(static_cast<float>(A.values[i])) *
                                                      static_cast<double>(x[static_cast<size_t>(column)]);
        }
    };
    add(false, others);
    for (Offset turn = 0; turn < inner; ++turn) {
      next = others;
      add(true, next);
      for (Offset row = first; row < last; ++row) {
        const float value = static_cast<float>(next[static_cast<size_t>(row - first)]);
        const double move = static_cast<double>(value) - static_cast<double>(x[static_cast<size_t>(row)]);
        if (turn == 0) change += move * move;
        x[static_cast<size_t>(row)] = value;
      }
    }
  }
  return change;
}

void test_sweeps() {
  for (const Offset n : {Offset{1}, Offset{33}, Offset{2048}, Offset{2049}, Offset{30001}}) {
    const Table table = table_of(n);
    const CsrView<double> A = table.view();
    Vector d(static_cast<size_t>(n));
    for (Offset i = 0; i < n; ++i) d[static_cast<size_t>(i)] = 1.0 + static_cast<double>(i % 7);
    for (const auto& [bits, window] : {std::pair{11, 11}, {13, 11}, {13, 13}, {14, 5}})
      for (const Offset inner : {1, 2, 3}) {
        Singles expected(d.begin(), d.end());
        double wanted = 0.0;
        for (int sweep = 0; sweep < 2; ++sweep) wanted = plain_sweep(A, bits, d, expected, inner);
        for_each_way([&](const std::string& way) {
          const Stages stages = make_stages(A, bits, window);
          Singles x(d.begin(), d.end());
          double change = 0.0;
          for (int sweep = 0; sweep < 2; ++sweep) change = stage_sweep(stages, d.data(), x.data(), inner);
          const std::string where =
              std::to_string(n) + " rows, " + std::to_string(bits) + " and " + std::to_string(window) + " bits, " + way;
          CHECK(x == expected, where);
          CHECK(std::fabs(change - wanted) <= 1e-12 * (1.0 + wanted), where);
        });
      }
  }
}

}  // namespace
}  // namespace kantor::test

int main() {
  kantor::test::test_sweeps();
  return kantor::test::report("stages");
}
