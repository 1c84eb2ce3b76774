#include <algorithm>

#include "stream.hpp"
#include "vector_bodies.hpp"
#include "vectors.hpp"

namespace kantor::cuda {

namespace {

template <class Formula>
void launch_elements(Offset n, const Formula& formula) {
  launch({element_blocks(n)}, stream(), ElementBody<Formula>{formula, n});
}

void check_weights(const char* name, const std::vector<double>& weights, Offset k) {
  const auto count = static_cast<Offset>(weights.size());
  KANTOR_REQUIRE(count == 1 || count == k, std::string(name) + ": " + std::to_string(count) +
                                               " weights, expected one or one for each of " + std::to_string(k) +
                                               " columns");
}

double weight_of(const std::vector<double>& weights, Offset column) {
  return weights.size() == 1 ? weights[0] : weights[static_cast<size_t>(column)];
}

}  // namespace

void copy_array(const DeviceArray& source, DeviceArray& out) {
  require_shape("source", source, out.shape);
  const void* from = source.typed(out.dtype, "source");
  KANTOR_REQUIRE(out.writable, "out: is read-only");
  copy(out.data, from, out.bytes());
}

void axpby(const std::vector<double>& a, const DeviceArray& x, const std::vector<double>& b, DeviceArray& y) {
  require_shape("x", x, y.shape);
  const Offset k = y.columns();
  check_weights("a", a, k);
  check_weights("b", b, k);
  const double* from = x.read("x");
  double* to = y.write("y");
  if (a.size() == 1 && b.size() == 1) return launch_elements(y.size(), Axpby{a[0], from, b[0], to});
  for (Offset column0 = 0; column0 < k; column0 += kMostWeights) {
    AxpbyColumns formula{{}, {}, from, to, k, column0, std::min<Offset>(kMostWeights, k - column0)};
    for (Offset j = 0; j < formula.width; ++j) {
      formula.a[j] = weight_of(a, column0 + j);
      formula.b[j] = weight_of(b, column0 + j);
    }
    launch_elements(y.rows() * formula.width, formula);
  }
}

void multiply(const DeviceArray& x, const DeviceArray& y, DeviceArray& out) {
  require_shape("x", x, out.shape);
  require_shape("y", y, out.shape);
  launch_elements(out.size(), Multiply{x.read("x"), y.read("y"), out.write("out")});
}

void clip(const DeviceArray& x, const DeviceArray& lower, const DeviceArray& upper, DeviceArray& out) {
  require_shape("x", x, out.shape);
  require_shape("lower", lower, out.shape);
  require_shape("upper", upper, out.shape);
  launch_elements(out.size(), Clip{x.read("x"), lower.read("lower"), upper.read("upper"), out.write("out")});
}

void prox(const Terms& terms, double tau, const DeviceArray& v, DeviceArray& out) {
  KANTOR_REQUIRE(out.shape.size() == 1, "out: shape " + shape_text(out.shape) + ", expected one dimension");
  require_shape("v", v, out.shape);
  require_shape("terms.kind", terms.kind, out.shape);
  require_shape("terms.a", terms.a, out.shape);
  require_shape("terms.b", terms.b, out.shape);
  require_shape("terms.e", terms.e, out.shape);
  const auto* kind = static_cast<const uint8_t*>(terms.kind.typed(Dtype::kUint8, "terms.kind"));
  launch_elements(out.size(), Prox{kind, terms.a.read("terms.a"), terms.b.read("terms.b"), terms.e.read("terms.e"), tau,
                                   v.read("v"), out.write("out")});
}

}  // namespace kantor::cuda
