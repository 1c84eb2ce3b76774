// Half-iterations and whole blocks of PDHG: against the formulas written out, and fused against unfused.
#include "cpu_check.hpp"

namespace kantor::test {
namespace {

// Owns the vectors of one PDHG state.
struct State {
  Vector c, lower, upper, row_lower, row_upper, a, b, e;
  std::vector<uint8_t> kind;
  Vector x, x_anchor, x_hat, x_reflected, dx, aty, y, y_anchor, y_hat, dy, ax;
  bool terms = false;

  State(Offset columns, Offset rows, bool with_terms) : terms(with_terms) {
    c = random_vector(columns, 1);
    lower = Vector(c.size(), 0.0);
    upper = random_vector(columns, 2);
    for (double& u : upper) u = u < 0.0 ? kInf : 1.0 + u;
    row_lower = random_vector(rows, 3);
    row_upper = random_vector(rows, 4);
    for (size_t i = 0; i < row_lower.size(); ++i) {
      if (i % 3 == 0) row_upper[i] = kInf;
      if (i % 3 == 1) row_upper[i] = row_lower[i];
      if (i % 3 == 2) row_lower[i] = -kInf;
    }
    kind.resize(c.size());
    for (size_t j = 0; j < kind.size(); ++j) kind[j] = static_cast<uint8_t>(j % 11 < 6 ? j % 11 : 0);
    a = b = Vector(c.size(), 0.7);
    e = Vector(c.size(), 1.5);
    x = x_anchor = random_vector(columns, 5);
    y = y_anchor = random_vector(rows, 6);
    x_hat = x_reflected = dx = aty = Vector(c.size(), kNaN);
    y_hat = dy = ax = Vector(y.size(), kNaN);
  }

  PdhgArrays arrays() {
    PdhgArrays s;
    s.columns = static_cast<Offset>(x.size());
    s.rows = static_cast<Offset>(y.size());
    s.c = c.data(), s.lower = lower.data(), s.upper = upper.data();
    s.row_lower = row_lower.data(), s.row_upper = row_upper.data();
    if (terms) s.terms = TermsView{kind.data(), a.data(), b.data(), e.data()};
    s.x = x.data(), s.x_anchor = x_anchor.data(), s.x_hat = x_hat.data(), s.x_reflected = x_reflected.data();
    s.dx = dx.data(), s.aty = aty.data(), s.y = y.data(), s.y_anchor = y_anchor.data();
    s.y_hat = y_hat.data(), s.dy = dy.data(), s.ax = ax.data();
    return s;
  }

  bool same(const State& o) const {
    return same_bits(x, o.x) && same_bits(y, o.y) && same_bits(x_hat, o.x_hat) && same_bits(y_hat, o.y_hat) &&
           same_bits(dx, o.dx) && same_bits(dy, o.dy) && same_bits(aty, o.aty) && same_bits(ax, o.ax) &&
           same_bits(x_reflected, o.x_reflected);
  }

  double apart(const State& o) const {
    double top = 0.0;
    for (const auto& [mine, other] : {std::pair{&x, &o.x},
                                      {&y, &o.y},
                                      {&x_hat, &o.x_hat},
                                      {&y_hat, &o.y_hat},
                                      {&dx, &o.dx},
                                      {&dy, &o.dy},
                                      {&aty, &o.aty},
                                      {&ax, &o.ax},
                                      {&x_reflected, &o.x_reflected}})
      top = maximum(top, distance(*mine, *other));
    return top;
  }
};

constexpr double kEta = 0.05, kWeight = 1.7;

// The iteration as mathematics.md section 7 writes it, element by element.
void plain_iteration(const TestMatrix& K, const TestMatrix& KT, State& s, int64_t k) {
  const double tau = kEta / kWeight, sigma = kEta * kWeight;
  const double w = (static_cast<double>(k) + 1.0) / (static_cast<double>(k) + 2.0);
  Vector scale;
  plain_product(KT, s.y, 1, s.aty, scale);
  for (size_t j = 0; j < s.x.size(); ++j) {
    double v = s.x[j] - tau * (s.c[j] - s.aty[j]);
    if (s.terms) v = prox(s.kind[j], tau, v, s.a[j], s.b[j], s.e[j]);
    s.x_hat[j] = std::fmin(std::fmax(v, s.lower[j]), s.upper[j]);
    s.dx[j] = s.x_hat[j] - s.x[j];
    s.x_reflected[j] = 2.0 * s.x_hat[j] - s.x[j];
    s.x[j] = w * s.x_reflected[j] + (1.0 - w) * s.x_anchor[j];
  }
  plain_product(K, s.x_reflected, 1, s.ax, scale);
  for (size_t i = 0; i < s.y.size(); ++i) {
    const double v = s.y[i] / sigma - s.ax[i];
    s.y_hat[i] = sigma * (v - std::fmin(std::fmax(v, -s.row_upper[i]), -s.row_lower[i]));
    s.dy[i] = s.y_hat[i] - s.y[i];
    s.y[i] = w * (2.0 * s.y_hat[i] - s.y[i]) + (1.0 - w) * s.y_anchor[i];
  }
}

void check_block(const TestMatrix& K, bool terms, bool tiled, const std::string& name) {
  const TestMatrix KT = transposed(K);
  Matrix<double> matrix = K.prepared(), turned = KT.prepared();
  if (tiled) {
    add_tiles(matrix);
    add_tiles(turned);
    CHECK(matrix.tiles && turned.tiles, name);
  }
  const int iterations = tiled ? 3 : 7;
  State plain(K.cols, K.rows(), terms), unfused(plain), first(plain);
  bool have_first = false;
  for (int64_t k = 4; k < 4 + iterations; ++k) plain_iteration(K, KT, plain, k);
  for (int64_t k = 4; k < 4 + iterations; ++k) {
    const StepSizes steps = step_sizes(kEta, kWeight, k);
    spmv(turned, unfused.y.data(), unfused.aty.data());
    primal_step(unfused.arrays(), steps, k == 3 + iterations);
    spmv(matrix, unfused.x_reflected.data(), unfused.ax.data());
    dual_step(unfused.arrays(), steps, k == 3 + iterations);
  }
  CHECK(unfused.apart(plain) < 1e-12, name);
  for_each_way([&](const std::string& way) {
    State fused(K.cols, K.rows(), terms);
    pdhg_block(matrix, turned, fused.arrays(), kEta, kWeight, 4, iterations);
    CHECK(fused.apart(plain) < 1e-12, name + ", " + way);
    CHECK(fused.same(unfused), name + ", " + way);
    if (!have_first) first = fused;
    have_first = true;
    CHECK(fused.same(first), name + ", " + way);
  });
}

void test_blocks() {
  for (const bool terms : {false, true}) {
    for (const Offset n : {1, 31, 33, 4001})
      check_block(random_matrix(n, n + 3, 7, [](Offset row) { return row % 5; }), terms, false,
                  std::to_string(n) + " rows");
    check_block(random_matrix(50, 3000, 7, [](Offset row) { return row == 20 ? 100000 : row % 9; }), terms, false,
                "giant row");
    check_block(random_matrix(120000, 110000, 7, [](Offset row) { return row == 60000 ? 200000 : 3 + row % 5; }), terms,
                true, "tiles");
  }
  check_block(random_matrix(0, 4, 7, [](Offset) { return 0; }), false, false, "no rows");
}

// A float32 matrix gives to the bit what the double matrix of the same numbers gives, in either layout.
void test_single_values() {
  for (const Offset n : {33, 120000}) {
    TestMatrix K = random_matrix(n, n - 3, 7, [](Offset row) { return 3 + row % 5; }), KT = transposed(K);
    auto single = K.single(), single_turned = KT.single();
    auto wide = K.prepared(), turned = KT.prepared();
    add_tiles(single), add_tiles(single_turned), add_tiles(wide), add_tiles(turned);
    CHECK((wide.tiles != nullptr) == (n > 33) && (single.tiles != nullptr) == (n > 33), std::to_string(n));
    State expected(K.cols, n, true), got(expected);
    pdhg_block(wide, turned, expected.arrays(), kEta, kWeight, 4, 3);
    pdhg_block(single, single_turned, got.arrays(), kEta, kWeight, 4, 3);
    CHECK(got.same(expected), std::to_string(n));
  }
}

}  // namespace
}  // namespace kantor::test

int main() {
  using namespace kantor::test;
  test_blocks();
  test_single_values();
  return report("pdhg");
}
