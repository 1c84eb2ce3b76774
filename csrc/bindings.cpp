// kantor._core: argument checks, release of the interpreter lock, translation of exceptions. No defaults, no logic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <mutex>
#include <string>

#include "cpu_isa.hpp"
#include "error.hpp"
#include "kernels.hpp"
#include "parallel.hpp"
#include "stages.hpp"

namespace py = pybind11;

namespace kantor {
namespace {

std::string shape_text(const py::array& array) { return py::str(array.attr("shape")).cast<std::string>(); }

// A C-contiguous array of T with the given number of elements, else an Error that names it.
template <typename T>
const T* elements(const py::handle& object, const char* name, Offset size, const char* dtype = "float64") {
  KANTOR_REQUIRE(
      py::isinstance<py::array>(object),
      std::string(name) + ": got " + std::string(py::str(py::type::of(object))) + ", expected a NumPy array");
  const py::array array = py::reinterpret_borrow<py::array>(object);
  // Equal, not only the same object: an array that was pickled, as between ranks, brings a dtype of its own.
  KANTOR_REQUIRE(array.dtype().is(py::dtype::of<T>()) || array.dtype().equal(py::dtype::of<T>()),
                 std::string(name) + ": dtype " + std::string(py::str(array.dtype())) + ", expected " + dtype);
  KANTOR_REQUIRE((array.flags() & py::array::c_style) != 0,
                 std::string(name) + ": strided array, expected C-contiguous");
  KANTOR_REQUIRE(array.size() == size, std::string(name) + ": shape " + shape_text(array) + ", expected " +
                                           std::to_string(size) + " elements");
  return static_cast<const T*>(array.data());
}

const double* input(const py::handle& object, const char* name, Offset size) {
  return elements<double>(object, name, size);
}

double* output(const py::handle& object, const char* name, Offset size) {
  const double* data = input(object, name, size);
  KANTOR_REQUIRE(py::reinterpret_borrow<py::array>(object).writeable(),
                 std::string(name) + ": read-only array, expected a writeable one");
  return const_cast<double*>(data);
}

// The number of columns of x, which must be (rows,) or (rows, k).
Offset columns_of(const py::array& x, const char* name, Offset rows) {
  const bool fits = (x.ndim() == 1 || x.ndim() == 2) && x.shape(0) == rows;
  KANTOR_REQUIRE(fits, std::string(name) + ": shape " + shape_text(x) + ", expected (" + std::to_string(rows) +
                           ",) or (" + std::to_string(rows) + ", k)");
  return x.ndim() == 1 ? 1 : x.shape(1);
}

// A prepared matrix and the NumPy arrays that hold it.
template <typename Value>
struct CsrHandle {
  py::array row_ptr, col_idx, values;
  Matrix<Value> matrix;
  std::once_flag tiled;  // the second layout is made for the first product of one column
};

template <typename Value>
std::unique_ptr<CsrHandle<Value>> make_csr(py::array row_ptr, py::array col_idx, py::array values, Offset columns) {
  KANTOR_REQUIRE(row_ptr.ndim() == 1 && row_ptr.size() >= 1,
                 "indptr: shape " + shape_text(row_ptr) + ", expected (rows + 1,)");
  KANTOR_REQUIRE(columns >= 0 && columns <= INT32_MAX,
                 "columns: got " + std::to_string(columns) + ", expected 0 <= columns < 2^31");
  auto handle = std::make_unique<CsrHandle<Value>>();
  const Offset nnz = values.size();
  CsrView<Value> view;
  view.rows = row_ptr.size() - 1;
  view.cols = columns;
  view.row_ptr = elements<Offset>(row_ptr, "indptr", row_ptr.size(), "int64");
  view.col_idx = elements<Index>(col_idx, "indices", nnz, "int32");
  view.values = elements<Value>(values, "data", nnz, sizeof(Value) == sizeof(float) ? "float32" : "float64");
  {
    py::gil_scoped_release release;
    handle->matrix = prepare(view, nnz);
  }
  handle->row_ptr = std::move(row_ptr);
  handle->col_idx = std::move(col_idx);
  handle->values = std::move(values);
  return handle;
}

template <typename Value>
std::unique_ptr<CsrHandle<Value>> make_transpose(const CsrHandle<Value>& A) {
  const CsrView<Value>& view = A.matrix.view;
  KANTOR_REQUIRE(view.rows <= INT32_MAX, "matrix: " + std::to_string(view.rows) + " rows, expected fewer than 2^31");
  py::array_t<Offset> row_ptr(view.cols + 1);
  py::array_t<Index> col_idx(view.nnz());
  py::array_t<Value> values(view.nnz());
  auto handle = std::make_unique<CsrHandle<Value>>();
  Offset* to_row_ptr = row_ptr.mutable_data();
  Index* to_col_idx = col_idx.mutable_data();
  Value* to_values = values.mutable_data();
  {
    py::gil_scoped_release release;
    transpose(view, to_row_ptr, to_col_idx, to_values);
    const CsrView<Value> turned{view.cols, view.rows, to_row_ptr, to_col_idx, to_values};
    handle->matrix = Matrix<Value>{turned, plan_rows(turned.row_ptr, turned.rows), nullptr};
  }
  handle->row_ptr = std::move(row_ptr);
  handle->col_idx = std::move(col_idx);
  handle->values = std::move(values);
  return handle;
}

// out <- A x, or x - A x with `net`.
template <typename Value>
void py_product(CsrHandle<Value>& A, const py::array& x, const py::array& out, bool net) {
  const CsrView<Value>& view = A.matrix.view;
  const Offset k = columns_of(x, "x", view.cols);
  KANTOR_REQUIRE(columns_of(out, "out", view.rows) == k && out.ndim() == x.ndim(),
                 "out: shape " + shape_text(out) + " does not go with x of shape " + shape_text(x));
  const double* from = input(x, "x", view.cols * k);
  double* to = output(out, "out", view.rows * k);
  KANTOR_REQUIRE(from + view.cols * k <= to || to + view.rows * k <= from, "out: overlaps x");
  KANTOR_REQUIRE(!net || view.rows == view.cols, "matrix: " + std::to_string(view.rows) + " rows, " +
                                                     std::to_string(view.cols) + " columns, expected a square one");
  py::gil_scoped_release release;
  if (k == 1) std::call_once(A.tiled, [&] { add_tiles(A.matrix); });
  net ? net_product(A.matrix, from, k, to) : spmm(A.matrix, from, k, to);
}

// A weight a column as C++ numbers; one number stands for all.
std::vector<double> column_weights(const py::object& w, const char* name, Offset k) {
  if (!py::isinstance<py::array>(w)) return std::vector<double>(static_cast<size_t>(k), w.cast<double>());
  const double* data = input(w, name, k);
  return std::vector<double>(data, data + k);
}

template <typename Value>
py::array py_single_sweep(CsrHandle<Value>& A, const py::array& r, const py::array& x, const py::array& out) {
  const CsrView<Value>& view = A.matrix.view;
  KANTOR_REQUIRE(view.rows == view.cols, "matrix: " + std::to_string(view.rows) + " rows, " +
                                             std::to_string(view.cols) + " columns, expected a square one");
  const Offset k = columns_of(r, "r", view.rows);
  const float* from = elements<float>(r, "r", view.rows * k, "float32");
  for (const py::array* v : {&x, &out})
    KANTOR_REQUIRE(v->writeable() && shape_text(*v) == shape_text(r),
                   "x, out: shape " + shape_text(*v) + ", expected that of r, " + shape_text(r) + ", and writeable");
  float* sum = const_cast<float*>(elements<float>(x, "x", view.rows * k, "float32"));
  float* to = const_cast<float*>(elements<float>(out, "out", view.rows * k, "float32"));
  KANTOR_REQUIRE(from + view.rows * k <= to || to + view.rows * k <= from, "out: overlaps r");
  py::array_t<double> squares(k);
  double* found = squares.mutable_data();
  py::gil_scoped_release release;
  single_sweep(A.matrix, from, k, sum, to, found);
  return std::move(squares);
}

void py_axpby(const py::object& a, const py::array& x, const py::object& b, const py::array& y) {
  const Offset n = x.size();
  KANTOR_REQUIRE(shape_text(x) == shape_text(y),
                 "y: shape " + shape_text(y) + ", expected that of x, " + shape_text(x));
  const double* from = input(x, "x", n);
  double* to = output(y, "y", n);
  const bool weights = py::isinstance<py::array>(a) || py::isinstance<py::array>(b);
  if (!weights) {
    const double p = a.cast<double>(), q = b.cast<double>();
    py::gil_scoped_release release;
    axpby(p, from, q, to, n);
    return;
  }
  KANTOR_REQUIRE(x.ndim() == 2, "a, b: one weight a column needs x of shape (n, k), got " + shape_text(x));
  const Offset k = x.shape(1);
  const std::vector<double> p = column_weights(a, "a", k), q = column_weights(b, "b", k);
  py::gil_scoped_release release;
  axpby_columns(p.data(), from, q.data(), to, x.shape(0), k);
}

void py_combine(const py::object& a, const py::array& x, const py::object& b, const py::array& z, const py::object& c,
                const py::array& y) {
  const Offset n = y.size();
  for (const py::array* v : {&x, &z})
    KANTOR_REQUIRE(shape_text(*v) == shape_text(y),
                   "x, z: shape " + shape_text(*v) + ", expected that of y, " + shape_text(y));
  const double* from = input(x, "x", n);
  const double* other = input(z, "z", n);
  double* to = output(y, "y", n);
  const bool weights = py::isinstance<py::array>(a) || py::isinstance<py::array>(b) || py::isinstance<py::array>(c);
  if (!weights) {
    const double p = a.cast<double>(), q = b.cast<double>(), r = c.cast<double>();
    py::gil_scoped_release release;
    combine(p, from, q, other, r, to, n);
    return;
  }
  KANTOR_REQUIRE(y.ndim() == 2, "a, b, c: one weight a column needs y of shape (n, k), got " + shape_text(y));
  const Offset k = y.shape(1);
  const std::vector<double> p = column_weights(a, "a", k), q = column_weights(b, "b", k), r = column_weights(c, "c", k);
  py::gil_scoped_release release;
  combine_columns(p.data(), from, q.data(), other, r.data(), to, y.shape(0), k);
}

// Pairs or single arrays of a batch; all must have the same number of columns.
struct Batch {
  std::vector<Operands> operands;
  Offset k = 1;
  bool columns = false;
};

void add_to_batch(Batch& batch, const py::handle& x, const py::handle& y) {
  KANTOR_REQUIRE(py::isinstance<py::array>(x) && py::isinstance<py::array>(y), "batch: expected NumPy arrays");
  const py::array array = py::reinterpret_borrow<py::array>(x), other = py::reinterpret_borrow<py::array>(y);
  KANTOR_REQUIRE(array.ndim() >= 1 && shape_text(array) == shape_text(other),
                 "pair of shapes " + shape_text(array) + " and " + shape_text(other) + ", expected two of one shape");
  const Offset k = columns_of(array, "x", array.shape(0));
  KANTOR_REQUIRE(
      batch.operands.empty() || (batch.k == k && batch.columns == (array.ndim() == 2)),
      "batch: array of shape " + shape_text(array) + " among arrays of " + std::to_string(batch.k) + " columns");
  batch.k = k;
  batch.columns = array.ndim() == 2;
  const Offset size = array.size();
  batch.operands.push_back(Operands{input(x, "x", size), input(y, "y", size), array.shape(0)});
}

template <typename Kernel>
py::array reduce(const Batch& batch, Kernel kernel) {
  const Offset count = static_cast<Offset>(batch.operands.size());
  py::array_t<double> out = batch.columns ? py::array_t<double>({count, batch.k}) : py::array_t<double>(count);
  double* to = out.mutable_data();
  py::gil_scoped_release release;
  kernel(batch.operands, batch.k, to);
  return std::move(out);
}

py::array py_dot(const py::sequence& pairs) {
  Batch batch;
  for (const py::handle& item : pairs) {
    const py::sequence pair = py::reinterpret_borrow<py::sequence>(item);
    KANTOR_REQUIRE(py::len(pair) == 2, "pairs: expected (x, y) tuples");
    add_to_batch(batch, py::object(pair[0]), py::object(pair[1]));
  }
  return reduce(batch, dot);
}

py::array py_largest(const py::sequence& arrays) {
  Batch batch;
  for (const py::handle& x : arrays) add_to_batch(batch, x, x);
  return reduce(batch, largest_magnitude);
}

TermsView terms_of(const py::object& terms, Offset n) {
  if (terms.is_none()) return TermsView{};
  return TermsView{elements<uint8_t>(terms.attr("kind"), "terms.kind", n, "uint8"),
                   input(terms.attr("a"), "terms.a", n), input(terms.attr("b"), "terms.b", n),
                   input(terms.attr("e"), "terms.e", n)};
}

// The vectors of a kantor.backends.protocol.PdhgState, checked.
PdhgArrays arrays_of(const py::object& state, Offset columns, Offset rows) {
  auto in = [&](const char* name, Offset n) { return input(state.attr(name), name, n); };
  auto out = [&](const char* name, Offset n) { return output(state.attr(name), name, n); };
  PdhgArrays s;
  s.columns = columns;
  s.rows = rows;
  s.c = in("c", columns);
  s.lower = in("lower", columns);
  s.upper = in("upper", columns);
  s.row_lower = in("row_lower", rows);
  s.row_upper = in("row_upper", rows);
  s.terms = terms_of(state.attr("terms"), columns);
  s.x = out("x", columns);
  s.x_anchor = in("x_anchor", columns);
  s.x_hat = out("x_hat", columns);
  s.x_reflected = out("x_reflected", columns);
  s.dx = out("dx", columns);
  s.aty = out("aty", columns);
  s.y = out("y", rows);
  s.y_anchor = in("y_anchor", rows);
  s.y_hat = out("y_hat", rows);
  s.dy = out("dy", rows);
  s.ax = out("ax", rows);
  return s;
}

PdhgArrays arrays_of(const py::object& state) {
  return arrays_of(state, state.attr("x").attr("size").cast<Offset>(), state.attr("y").attr("size").cast<Offset>());
}

StepSizes steps_of(const py::object& state) {
  return step_sizes(state.attr("eta").cast<double>(), state.attr("weight").cast<double>(),
                    state.attr("k").cast<int64_t>());
}

template <typename Value>
void py_pdhg_block(CsrHandle<Value>& K, CsrHandle<Value>& KT, const py::object& state, int64_t iterations) {
  const CsrView<Value>&view = K.matrix.view, &turned = KT.matrix.view;
  KANTOR_REQUIRE(view.rows == turned.cols && view.cols == turned.rows, "transpose: shape does not go with the matrix");
  KANTOR_REQUIRE(iterations >= 1, "iterations: got " + std::to_string(iterations) + ", expected at least 1");
  const PdhgArrays s = arrays_of(state, view.cols, view.rows);
  const double eta = state.attr("eta").cast<double>(), weight = state.attr("weight").cast<double>();
  const int64_t k = state.attr("k").cast<int64_t>();
  py::gil_scoped_release release;
  std::call_once(K.tiled, [&] { add_tiles(K.matrix); });
  std::call_once(KT.tiled, [&] { add_tiles(KT.matrix); });
  pdhg_block(K.matrix, KT.matrix, s, eta, weight, k, iterations);
}

py::dict build_info() {
  std::vector<std::string> isas;
  for (const IsaTable* table : isa_tables()) isas.push_back(table->name);
  py::dict info;
  info["version"] = KANTOR_VERSION;
  info["compiler"] = KANTOR_COMPILER;
  info["flags"] = KANTOR_FLAGS;
  info["threads"] = parallel_layer();
  info["isa"] = isa().name;
  info["isas"] = isas;
  return info;
}

template <typename Value>
void bind_matrix(py::module_& m, const char* name, const char* what) {
  using Handle = CsrHandle<Value>;
  py::class_<Handle>(m, name, what)
      .def(py::init(&make_csr<Value>), py::arg("indptr"), py::arg("indices"), py::arg("data"), py::arg("columns"))
      .def("transpose", &make_transpose<Value>, "The transpose as a new matrix, in O(nnz).")
      .def_readonly("indptr", &Handle::row_ptr)
      .def_readonly("indices", &Handle::col_idx)
      .def_readonly("data", &Handle::values)
      .def_property_readonly("shape",
                             [](const Handle& A) { return py::make_tuple(A.matrix.view.rows, A.matrix.view.cols); })
      .def_property_readonly("tasks", [](const Handle& A) { return A.matrix.plan.tasks.size(); })
      .def(
          "few_products", [](Handle& A) { std::call_once(A.tiled, [] {}); },
          "So few products follow that a second layout would not pay.")
      .def_property_readonly("tiled", [](const Handle& A) { return A.matrix.tiles != nullptr; })
      .def_property_readonly("giant_parts", [](const Handle& A) { return A.matrix.plan.parts.size(); });
  m.def("product", &py_product<Value>, py::arg("A"), py::arg("x"), py::arg("out"), py::arg("net") = false,
        "out <- A x, or x - A x with net; x (n,) or (n, k).");
  m.def("single_sweep", &py_single_sweep<Value>, py::arg("A"), py::arg("r"), py::arg("x"), py::arg("out"),
        "out <- A r, x <- x + out in float32; returns the columnwise sums of out^2.");
  m.def("pdhg_block", &py_pdhg_block<Value>, py::arg("K"), py::arg("KT"), py::arg("state"), py::arg("iterations"));
}

std::unique_ptr<Stages> py_stages(const CsrHandle<double>& A, int bits) {
  py::gil_scoped_release release;
  return std::make_unique<Stages>(make_stages(A.matrix.view, bits, window_bits(bits)));
}

double py_stage_sweep(const Stages& A, const py::array& d, const py::array& x, Offset inner) {
  const double* right = input(d, "d", A.rows);
  KANTOR_REQUIRE(x.writeable(), "x: not writeable");
  float* to = const_cast<float*>(elements<float>(x, "x", A.rows, "float32"));
  KANTOR_REQUIRE(inner >= 1, "inner: got " + std::to_string(inner) + ", expected at least 1");
  py::gil_scoped_release release;
  return stage_sweep(A, right, to, inner);
}

void bind_stages(py::module_& m) {
  py::class_<Stages>(m, "Stages", "A square matrix in float32, laid out for sweeps of block Gauss-Seidel.")
      .def(py::init(&py_stages), py::arg("matrix"), py::arg("bits"))
      .def_readonly("count", &Stages::count);
  m.def("stage_bits", [](const CsrHandle<double>& A) { return stage_bits(A.matrix.view); });
  m.def("stage_sweep", &py_stage_sweep, py::arg("stages"), py::arg("d"), py::arg("x"), py::arg("inner"),
        "x <- A x + d stage by stage; returns the sum of squares of the first changes.");
}

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const Error& error) {
    const char* type = error.code() == ErrorCode::kInvalidArgument ? "ProblemError" : "BackendError";
    PyErr_SetString(py::module_::import("kantor.errors").attr(type).ptr(), error.what());
  }
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "The native CPU kernels of kantor (csrc/kernels.hpp); used through kantor.backends.native.";
  py::register_exception_translator(translate);

  bind_matrix<double>(m, "Csr", "A prepared CSR matrix; keeps the arrays it was made from, without copying them.");
  bind_matrix<float>(m, "SingleCsr", "A Csr of float32 values; vectors and sums are float64 all the same.");

  bind_stages(m);

  m.def("axpby", &py_axpby, py::arg("a"), py::arg("x"), py::arg("b"), py::arg("y"), "y <- a x + b y.");
  m.def("combine", &py_combine, py::arg("a"), py::arg("x"), py::arg("b"), py::arg("z"), py::arg("c"), py::arg("y"),
        "y <- a x + b z + c y.");
  m.def(
      "fill",
      [](double value, const py::array& out) {
        double* to = output(out, "out", out.size());
        py::gil_scoped_release release;
        fill(value, to, out.size());
      },
      py::arg("value"), py::arg("out"));
  m.def(
      "copy",
      [](const py::array& x, const py::array& out) {
        const double* from = input(x, "x", x.size());
        double* to = output(out, "out", x.size());
        py::gil_scoped_release release;
        copy(from, to, x.size());
      },
      py::arg("x"), py::arg("out"));
  m.def(
      "multiply",
      [](const py::array& x, const py::array& y, const py::array& out) {
        const Offset n = x.size();
        const double* p = input(x, "x", n);
        const double* q = input(y, "y", n);
        double* to = output(out, "out", n);
        py::gil_scoped_release release;
        multiply(p, q, to, n);
      },
      py::arg("x"), py::arg("y"), py::arg("out"));
  m.def(
      "clip",
      [](const py::array& x, const py::array& lower, const py::array& upper, const py::array& out) {
        const Offset n = x.size();
        const double* from = input(x, "x", n);
        const double* low = input(lower, "lower", n);
        const double* high = input(upper, "upper", n);
        double* to = output(out, "out", n);
        py::gil_scoped_release release;
        clip(from, low, high, to, n);
      },
      py::arg("x"), py::arg("lower"), py::arg("upper"), py::arg("out"));
  m.def(
      "prox",
      [](const py::object& terms, double tau, const py::array& v, const py::array& out) {
        const Offset n = v.size();
        const TermsView view = terms_of(terms, n);
        const double* from = input(v, "v", n);
        double* to = output(out, "out", n);
        KANTOR_REQUIRE(view.kind != nullptr, "terms: got None");
        py::gil_scoped_release release;
        prox(view, tau, from, to, n);
      },
      py::arg("terms"), py::arg("tau"), py::arg("v"), py::arg("out"));
  m.def("dot", &py_dot, py::arg("pairs"));
  m.def("largest_magnitude", &py_largest, py::arg("arrays"));
  m.def(
      "extremes",
      [](const py::array& x) {
        const Offset n = x.size();
        const double* from = input(x, "x", n);
        double least = 0.0, most = 0.0;
        {
          py::gil_scoped_release release;
          extremes(from, n, &least, &most);
        }
        return py::make_tuple(least, most);
      },
      py::arg("x"), "Least and most of x; NaN if any is.");
  m.def(
      "primal_step",
      [](const py::object& state, bool last) {
        const PdhgArrays s = arrays_of(state);
        const StepSizes steps = steps_of(state);
        py::gil_scoped_release release;
        primal_step(s, steps, last);
      },
      py::arg("state"), py::arg("last"));
  m.def(
      "dual_step",
      [](const py::object& state, bool last) {
        const PdhgArrays s = arrays_of(state);
        const StepSizes steps = steps_of(state);
        py::gil_scoped_release release;
        dual_step(s, steps, last);
      },
      py::arg("state"), py::arg("last"));

  m.def("num_threads", &num_threads);
  m.def("set_num_threads", &set_num_threads, py::arg("n"));
  m.def("choose_isa", &choose_isa, py::arg("name"));
  m.def("triad_bandwidth", &triad_bandwidth, py::arg("n"), py::arg("repeats"),
        py::call_guard<py::gil_scoped_release>());
  m.def("gather_seconds", &gather_seconds, py::arg("length"), py::arg("reads"), py::arg("repeats"),
        py::call_guard<py::gil_scoped_release>());
  m.def("read_bandwidth", &read_bandwidth, py::arg("n"), py::arg("repeats"), py::call_guard<py::gil_scoped_release>());
  m.def("build_info", &build_info);
}

}  // namespace kantor
