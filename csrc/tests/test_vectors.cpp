// Elementwise kernels, proximal maps and reductions of the CPU core.
#include "cpu_check.hpp"
#include "reduce.hpp"

namespace kantor::test {
namespace {

void test_elementwise() {
  for (const Offset n : kSizes) {
    const Vector x = random_vector(n, 1), y = random_vector(n, 2), z = random_vector(n, 3);
    for_each_way([&](const std::string& way) {
      const std::string where = std::to_string(n) + " elements, " + way;
      Vector sum = y, fresh(y.size(), kNaN), product(y.size()), clipped(y.size()), copied(y.size());
      axpby(2.0, x.data(), -3.0, sum.data(), n);
      axpby(2.0, x.data(), 0.0, fresh.data(), n);
      multiply(x.data(), y.data(), product.data(), n);
      clip(x.data(), y.data(), z.data(), clipped.data(), n);
      copy(x.data(), copied.data(), n);
      bool good = true;
      for (size_t i = 0; i < x.size(); ++i) {
        good &= sum[i] == 2.0 * x[i] + -3.0 * y[i] && fresh[i] == 2.0 * x[i] && product[i] == x[i] * y[i];
        good &= clipped[i] == std::fmin(std::fmax(x[i], y[i]), z[i]);
      }
      CHECK(good && same_bits(copied, x), where);
      fill(7.0, copied.data(), n);
      CHECK(copied == Vector(x.size(), 7.0), where);
    });
  }
}

void test_columns() {
  const Offset n = 1003, k = 5;
  const Vector x = random_vector(n * k, 1), a = {1.0, 0.0, -2.0, 3.0, 0.5}, b = {0.0, 1.0, 2.0, 0.0, -1.0};
  Vector y(x.size(), 4.0), expected(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    if (b[i % 5] == 0.0) y[i] = kNaN;
    expected[i] = axpby(a[i % 5], x[i], b[i % 5], y[i]);
  }
  axpby_columns(a.data(), x.data(), b.data(), y.data(), n, k);
  CHECK(same_bits(y, expected) && y[0] == y[0], "one weight a column");
}

// NaN in any argument of clip gives NaN, whatever the vector loops do.
void test_nan() {
  for_each_way([](const std::string& way) {
    for (int bad = 0; bad < 4; ++bad) {
      Vector x(37, 1.0), low(37, 0.0), high(37, 2.0), out(37);
      if (bad > 0) (bad == 1 ? x : bad == 2 ? low : high)[20] = kNaN;
      clip(x.data(), low.data(), high.data(), out.data(), 37);
      for (size_t i = 0; i < 37; ++i) CHECK((out[i] != out[i]) == (bad > 0 && i == 20), way);
    }
  });
}

// d/du of phi(u) + (u - v)^2 / (2 tau) vanishes at the prox, or is >= 0 where u is held at 0.
void test_prox() {
  const auto slope = [](uint8_t kind, double u, double a, double b, double e) {
    const double s = u / b - 1.0;
    if (kind == kQuadratic) return a * (u - b);
    if (kind == kHarmony) return -a / b * (s < 0.0 ? 1.0 - s : 1.0 / (1.0 + s));
    if (kind == kLog) return -a / (u + b);
    if (kind == kPower) return -a * std::pow(u, -e);
    if (kind == kHyperbolic) return -a * e * b / ((e * b + u) * (e * b + u));
    return 0.0;
  };
  std::mt19937_64 random(23);
  std::uniform_real_distribution<double> exponent(-6.0, 6.0), part(-1.0, 1.0);
  for (int trial = 0; trial < 20000; ++trial) {
    const uint8_t kind = static_cast<uint8_t>(trial % 6);
    const double a = std::exp(exponent(random)), b = std::exp(exponent(random)), e = 1.0 + 0.8 * part(random) + 1e-3;
    const double tau = std::exp(exponent(random)), v = std::exp(exponent(random)) * part(random);
    const double u = prox(kind, tau, v, a, b, e);
    const double left = slope(kind, u, a, b, e), right = (u - v) / tau;
    // Terms that cancel: u - v, u - b of the quadratic, and the shift that log and hyperbolic take off again.
    const double shift = kind == kLog ? b : kind == kHyperbolic ? e * b : 0.0;
    const double scale = std::fabs(left) + (kind == kQuadratic ? a * (std::fabs(u) + b) : 0.0) +
                         (std::fabs(u) + std::fabs(v) + shift) / tau;
    const bool held = u == 0.0 && kind >= kHarmony;
    CHECK(held ? left + right >= -1e-12 * scale : std::fabs(left + right) <= 1e-12 * scale,
          "kind " + std::to_string(kind) + " v " + std::to_string(v));
  }
  for (int kind = 0; kind < 6; ++kind) {
    const double u = prox(static_cast<uint8_t>(kind), 1.0, kNaN, 1.0, 1.0, 2.0);
    CHECK(u != u, "NaN, kind " + std::to_string(kind));
  }
}

void test_reductions() {
  for (const Offset n : kSizes) {
    const Vector x = random_vector(n, 1), y = random_vector(n, 2), z(5, 0.25);
    double plain = 0.0, top = 0.0;
    for (size_t i = 0; i < x.size(); ++i) {
      plain += x[i] * y[i];
      top = std::fmax(top, std::fabs(x[i]));
    }
    Vector first;
    for_each_way([&](const std::string& way) {
      const std::string where = std::to_string(n) + " elements, " + way;
      Vector dots(2), tops(2);
      dot({{x.data(), y.data(), n}, {z.data(), z.data(), 5}}, 1, dots.data());
      largest_magnitude({{x.data(), x.data(), n}, {z.data(), z.data(), 5}}, 1, tops.data());
      CHECK(std::fabs(dots[0] - plain) <= 1e-10 && dots[1] == 5.0 / 16.0 && tops[0] == top && tops[1] == 0.25, where);
      if (first.empty()) first = dots;
      CHECK(same_bits(dots, first), where);
    });
  }
}

// A chunk of the vector loops adds in the order that reduce.hpp states for every lane count.
void test_order() {
  for (const Offset n : {0, 1, 31, 33, 8191, 8192}) {
    const Vector x = random_vector(n, 1), y = random_vector(n, 2);
    const double expected =
        lane_sum<kReduceLanes>(n, [&](Offset i) { return x[static_cast<size_t>(i)] * y[static_cast<size_t>(i)]; });
    for (const IsaTable* table : isa_tables()) CHECK(table->dot(x.data(), y.data(), n) == expected, table->name);
  }
  // Five values: 0 takes in 3, 1 takes in 4, then 0 takes in 2, then 1; this order cancels without loss, others do not.
  Vector values = {1e16, 1.0, 0.25, -1e16, 0.5};
  CHECK(halving_sum(values.data(), 5) == 1.75, "halving");
}

void test_column_reductions() {
  const Offset n = 33331;
  for (const Offset k : {2, 5, 17}) {
    Vector x = random_vector(n * k, 1), bad, first;
    x[static_cast<size_t>(k * 100 + 1)] = 3.0;
    bad = x;
    bad[static_cast<size_t>(k * 200)] = kNaN;
    Vector plain(static_cast<size_t>(k), 0.0);
    for (size_t i = 0; i < x.size(); ++i) plain[i % static_cast<size_t>(k)] += x[i] * x[i];
    for_each_way([&](const std::string& way) {
      Vector out(static_cast<size_t>(k)), tops(2 * out.size());
      dot({{x.data(), x.data(), n}}, k, out.data());
      largest_magnitude({{x.data(), x.data(), n}, {bad.data(), bad.data(), n}}, k, tops.data());
      CHECK(distance(out, plain) < 1e-12 && tops[0] < 1.0 && tops[1] == 3.0, way);
      CHECK(tops[out.size()] != tops[out.size()] && tops[out.size() + 1] == 3.0, way);
      if (first.empty()) first = out;
      CHECK(same_bits(out, first), way);
    });
  }
}

void test_extremes() {
  for (const Offset n : {0, 1, 5, 31, 8192, 8193, 300001}) {
    Vector x = random_vector(n, 3);
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (const double value : x) {
      low = std::fmin(low, value);
      high = std::fmax(high, value);
    }
    for_each_way([&](const std::string& way) {
      double least = 0.0, most = 0.0;
      extremes(x.data(), n, &least, &most);
      CHECK(least == low && most == high, std::to_string(n) + " elements, " + way);
    });
    for (const Offset at : {n / 2, n - 1}) {
      if (at < 0 || at >= n) continue;
      Vector bad = x;
      bad[static_cast<size_t>(at)] = kNaN;
      double least = 0.0, most = 0.0;
      extremes(bad.data(), n, &least, &most);
      CHECK(least != least && most != most, "NaN at " + std::to_string(at));
    }
  }
}

void test_nan_norm() {
  for (const Offset at : {0, 5, 32, 8191, 8192, 20000}) {
    Vector x = random_vector(20001, 1);
    x[static_cast<size_t>(at)] = kNaN;
    for_each_way([&](const std::string& way) {
      double top = 0.0;
      largest_magnitude({{x.data(), x.data(), 20001}}, 1, &top);
      CHECK(top != top, way);
    });
  }
}

void test_threads() {
  bool refused = false;
  try {
    set_num_threads(0);
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kInvalidArgument;
  }
  CHECK(refused, "no threads");
  // Every task is handed out once in every phase, also when threads outnumber tasks.
  for (const Offset tasks : {0, 1, 3, 1000})
    for (int threads = 1; threads <= 4; ++threads) {
      std::vector<std::atomic<int>> times(static_cast<size_t>(tasks));
      Dispenser dispenser(tasks, threads);
      parallel_region(threads, [&](Team& team) {
        for (int64_t phase = 0; phase < 5; ++phase) {
          dispenser.run(team, phase, [&](Offset task) { ++times[static_cast<size_t>(task)]; });
          team.barrier();
        }
      });
      for (const std::atomic<int>& count : times) CHECK(count == 5, std::to_string(threads) + " threads");
    }
}

}  // namespace
}  // namespace kantor::test

int main() {
  using namespace kantor::test;
  test_elementwise();
  test_columns();
  test_nan();
  test_prox();
  test_reductions();
  test_order();
  test_column_reductions();
  test_extremes();
  test_nan_norm();
  test_threads();
  return report("vectors");
}
