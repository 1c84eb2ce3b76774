// kantor._cuda: conversion of arguments, release of the interpreter lock, translation of exceptions. No defaults, no
// logic. Imports on any machine; what needs a device says so when it is called.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pdhg.hpp"

namespace py = pybind11;

namespace kantor::cuda {
namespace {

// ---- arrays
// ----------------------------------------------------------------------------------------------------------

Dtype dtype_of(const std::string& code) {
  for (const Dtype dtype : {Dtype::kFloat64, Dtype::kUint8, Dtype::kInt32, Dtype::kInt64}) {
    if (code == dtype_code(dtype)) return dtype;
  }
  KANTOR_THROW(kInvalidArgument, "array: type " + code + ", expected float64, uint8, int32 or int64");
}

std::vector<Offset> shape_of(const py::handle& shape) {
  if (py::isinstance<py::int_>(shape)) return {shape.cast<Offset>()};
  return shape.cast<std::vector<Offset>>();
}

DeviceArray from_host(const py::array& host) {
  KANTOR_REQUIRE((host.flags() & py::array::c_style) != 0, "array: strided, expected C-contiguous");
  const std::vector<Offset> shape(host.shape(), host.shape() + host.ndim());
  DeviceArray array = empty(dtype_of(host.dtype().attr("str").cast<std::string>()), shape);
  const py::gil_scoped_release release;
  upload(array.data, host.data(), array.bytes());
  return array;
}

py::array to_host(const DeviceArray& array) {
  py::array host(py::dtype(dtype_name(array.dtype)), array.shape);
  void* to = host.mutable_data();
  const py::gil_scoped_release release;
  download(to, array.data, array.bytes());
  return host;
}

DeviceArray zeros(const py::object& shape) {
  DeviceArray array = empty(Dtype::kFloat64, shape_of(shape));
  set_zero(array.data, array.bytes());
  return array;
}

py::dict array_interface(const DeviceArray& array) {
  py::dict interface;
  interface["shape"] = py::tuple(py::cast(array.shape));
  interface["typestr"] = dtype_code(array.dtype);
  interface["data"] = py::make_tuple(reinterpret_cast<std::uintptr_t>(array.data), !array.writable);
  interface["strides"] = py::none();
  interface["version"] = 3;
  interface["stream"] = stream_handle();
  return interface;
}

bool is_contiguous(const py::object& strides, const std::vector<Offset>& shape, size_t item) {
  if (strides.is_none()) return true;
  const auto steps = strides.cast<std::vector<Offset>>();
  auto expected = static_cast<Offset>(item);
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] > 1 && steps[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

// A view of another library's device array, which is kept alive as long as the view; work its producer has queued on
// the stream it names comes first.
DeviceArray from_interface(const py::object& owner) {
  const auto interface = owner.attr("__cuda_array_interface__").cast<py::dict>();
  const auto get = [&](const char* key) -> py::object {
    return interface.contains(key) ? py::object(interface[key]) : py::none();
  };
  DeviceArray array;
  array.dtype = dtype_of(get("typestr").cast<std::string>());
  array.shape = get("shape").cast<std::vector<Offset>>();
  KANTOR_REQUIRE(array.shape.size() == 1 || array.shape.size() == 2,
                 "array: shape " + shape_text(array.shape) + ", expected one or two dimensions");
  KANTOR_REQUIRE(get("mask").is_none(), "array: is masked");
  KANTOR_REQUIRE(array.size() == 0 || is_contiguous(get("strides"), array.shape, item_size(array.dtype)),
                 "array: strided, expected C-contiguous");
  const auto data = get("data").cast<std::pair<std::uintptr_t, bool>>();
  array.data = reinterpret_cast<void*>(data.first);
  array.writable = !data.second;
  if (array.size() > 0) require_device_pointer(array.data);
  const py::object stream = get("stream");
  if (!stream.is_none()) wait_for_stream(stream.cast<std::uintptr_t>());
  array.memory = std::shared_ptr<void>(new py::object(owner), [](void* held) {
    const py::gil_scoped_acquire acquire;
    delete static_cast<py::object*>(held);
  });
  return array;
}

// An argument: one of ours, or anything with the array interface.
DeviceArray array_of(const py::handle& object, const char* name) {
  if (py::isinstance<DeviceArray>(object)) return object.cast<const DeviceArray&>();
  KANTOR_REQUIRE(py::hasattr(object, "__cuda_array_interface__"),
                 std::string(name) + ": got " + py::str(py::type::of(object)).cast<std::string>() +
                     ", expected a device array; from_host copies one there");
  return from_interface(py::reinterpret_borrow<py::object>(object));
}

DeviceArray attribute(const py::handle& object, const char* name) { return array_of(object.attr(name), name); }

// ---- matrices
// --------------------------------------------------------------------------------------------------------

using HostOffsets = py::array_t<Offset, py::array::c_style>;
using HostIndices = py::array_t<Index, py::array::c_style>;
template <class Value>
using HostValues = py::array_t<Value, py::array::c_style>;

BucketLimits limits_of(const std::vector<Offset>& limits) {
  KANTOR_REQUIRE(limits.size() == 4 && limits[3] > 0, "limits: expected (thread, warp, block, segment), segment > 0");
  return {limits[0], limits[1], limits[2], limits[3]};
}

template <class Value>
std::unique_ptr<DeviceCsr<Value>> make_csr(const HostOffsets& indptr, const HostIndices& indices,
                                           const HostValues<Value>& data, Offset columns,
                                           const std::vector<Offset>& limits) {
  KANTOR_REQUIRE(indptr.ndim() == 1 && indptr.size() >= 1, "indptr: expected shape (rows + 1,)");
  const CsrView<Value> view{indptr.size() - 1, columns, indptr.data(), indices.data(), data.data()};
  KANTOR_REQUIRE(view.nnz() == indices.size() && view.nnz() == data.size(),
                 "indptr: ends at " + std::to_string(view.nnz()) + ", but there are " + std::to_string(indices.size()) +
                     " indices and " + std::to_string(data.size()) + " values");
  const BucketLimits chosen = limits_of(limits);
  const py::gil_scoped_release release;
  return std::make_unique<DeviceCsr<Value>>(view, chosen);
}

// The buckets as NumPy arrays, for whoever launches the kernels in another way; needs no device.
py::dict bucket_rows(const HostOffsets& indptr, const std::vector<Offset>& limits) {
  const BuiltBuckets built = build_buckets(indptr.data(), indptr.size() - 1, limits_of(limits));
  py::dict out;
  out["first"] = std::vector<Offset>(built.view.first, built.view.first + kBuckets + 1);
  out["order"] = py::array_t<Index>(static_cast<py::ssize_t>(built.order.size()), built.order.data());
  out["giant_first"] =
      py::array_t<Offset>(static_cast<py::ssize_t>(built.giant_first.size()), built.giant_first.data());
  out["segment_owner"] =
      py::array_t<Index>(static_cast<py::ssize_t>(built.segment_owner.size()), built.segment_owner.data());
  return out;
}

template <class Value>
void py_product(const DeviceCsr<Value>& A, const py::object& x, const py::object& out) {
  DeviceArray to = array_of(out, "out");
  multiply(A, array_of(x, "x"), to);
}

// ---- vectors
// ---------------------------------------------------------------------------------------------------------

std::vector<double> weights(const py::handle& w, const char* name) {
  if (PyFloat_Check(w.ptr()) != 0 || PyLong_Check(w.ptr()) != 0) return {w.cast<double>()};
  const auto array = py::array_t<double, py::array::c_style | py::array::forcecast>::ensure(w);
  KANTOR_REQUIRE(array && array.ndim() <= 1, std::string(name) + ": expected a number or one a column");
  return {array.data(), array.data() + array.size()};
}

void py_copy(const py::object& source, const py::object& out) {
  DeviceArray to = array_of(out, "out");
  copy_array(array_of(source, "source"), to);
}

void py_axpby(const py::object& a, const py::object& x, const py::object& b, const py::object& y) {
  DeviceArray to = array_of(y, "y");
  axpby(weights(a, "a"), array_of(x, "x"), weights(b, "b"), to);
}

void py_multiply(const py::object& x, const py::object& y, const py::object& out) {
  DeviceArray to = array_of(out, "out");
  multiply(array_of(x, "x"), array_of(y, "y"), to);
}

void py_clip(const py::object& x, const py::object& lower, const py::object& upper, const py::object& out) {
  DeviceArray to = array_of(out, "out");
  clip(array_of(x, "x"), array_of(lower, "lower"), array_of(upper, "upper"), to);
}

Terms terms_of(const py::handle& terms) {
  return {attribute(terms, "kind"), attribute(terms, "a"), attribute(terms, "b"), attribute(terms, "e")};
}

void py_prox(const py::object& terms, double tau, const py::object& v, const py::object& out) {
  DeviceArray to = array_of(out, "out");
  prox(terms_of(terms), tau, array_of(v, "v"), to);
}

// (items,) or, for arrays of two dimensions, (items, k).
py::array batch_result(const Pairs& pairs, const std::vector<double>& values) {
  const auto items = static_cast<py::ssize_t>(pairs.size());
  std::vector<py::ssize_t> shape{items};
  if (!pairs.empty() && pairs.front().first.shape.size() == 2) shape.push_back(pairs.front().first.columns());
  return py::array_t<double>(shape, values.data());
}

py::array py_dot(const std::vector<std::pair<py::object, py::object>>& arrays) {
  Pairs pairs;
  for (const auto& [x, y] : arrays) pairs.emplace_back(array_of(x, "x"), array_of(y, "y"));
  std::vector<double> values;
  {
    const py::gil_scoped_release release;
    values = dot(pairs);
  }
  return batch_result(pairs, values);
}

py::array py_largest_magnitude(const std::vector<py::object>& arrays) {
  Pairs pairs;
  for (const auto& x : arrays) pairs.emplace_back(array_of(x, "x"), DeviceArray{});
  std::vector<double> values;
  {
    const py::gil_scoped_release release;
    values = largest_magnitude(pairs);
  }
  return batch_result(pairs, values);
}

// ---- PDHG
// ------------------------------------------------------------------------------------------------------------

// Reads a kantor.backends.protocol.PdhgState.
PdhgArrays arrays_of(const py::handle& s) {
  PdhgArrays arrays;
  const std::pair<const char*, DeviceArray*> fields[] = {{"c", &arrays.c},
                                                         {"lower", &arrays.lower},
                                                         {"upper", &arrays.upper},
                                                         {"x", &arrays.x},
                                                         {"x_anchor", &arrays.x_anchor},
                                                         {"x_hat", &arrays.x_hat},
                                                         {"dx", &arrays.dx},
                                                         {"aty", &arrays.aty},
                                                         {"x_reflected", &arrays.x_reflected},
                                                         {"y", &arrays.y},
                                                         {"y_anchor", &arrays.y_anchor},
                                                         {"y_hat", &arrays.y_hat},
                                                         {"dy", &arrays.dy},
                                                         {"ax", &arrays.ax},
                                                         {"row_lower", &arrays.row_lower},
                                                         {"row_upper", &arrays.row_upper}};
  for (const auto& [name, array] : fields) *array = attribute(s, name);
  const py::object terms = s.attr("terms");
  if (!terms.is_none()) arrays.terms = std::make_shared<const Terms>(terms_of(terms));
  return arrays;
}

StepState step_of(const py::handle& s) {
  return {s.attr("eta").cast<double>(), s.attr("weight").cast<double>(), s.attr("k").cast<Offset>()};
}

void py_primal_step(const py::object& s, bool last) {
  PdhgArrays arrays = arrays_of(s);
  primal_step(arrays, step_of(s), last);
}

void py_dual_step(const py::object& s, bool last) {
  PdhgArrays arrays = arrays_of(s);
  dual_step(arrays, step_of(s), last);
}

template <class Value>
void py_run(PdhgBlocks& blocks, const DeviceCsr<Value>& K, const DeviceCsr<Value>& transpose, const py::object& s,
            Offset iterations) {
  PdhgArrays arrays = arrays_of(s);
  blocks.run(K, transpose, arrays, step_of(s), iterations);
}

// The one stream, for libraries that know the CUDA stream protocol or take the handle.
struct Stream {};

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const Error& error) {
    const char* name = error.code() == ErrorCode::kRuntime ? "BackendError" : "ProblemError";
    py::set_error(py::module_::import("kantor.errors").attr(name), error.what());
  }
}

void bind_arrays(py::module_& m) {
  py::class_<DeviceArray>(m, "DeviceArray", py::module_local(),
                          "An array in device memory: float64, uint8, int32 or int64, C-contiguous.")
      .def_static("from_host", &from_host, py::arg("array"), "Copy a NumPy array to the device.")
      .def_static("from_interface", &from_interface, py::arg("array"),
                  "View an array that has __cuda_array_interface__, without a copy; it is kept alive.")
      .def("to_host", &to_host, "Copy to a new NumPy array.")
      .def_property_readonly("__cuda_array_interface__", &array_interface)
      .def_property_readonly("shape", [](const DeviceArray& a) { return py::tuple(py::cast(a.shape)); })
      .def_property_readonly("ndim", [](const DeviceArray& a) { return a.shape.size(); })
      .def_property_readonly("size", &DeviceArray::size)
      .def_property_readonly("nbytes", &DeviceArray::bytes)
      .def_property_readonly("dtype", [](const DeviceArray& a) { return py::dtype(dtype_name(a.dtype)); })
      .def("__len__", &DeviceArray::rows)
      .def("__repr__", [](const DeviceArray& a) {
        return std::string("<DeviceArray ") + dtype_name(a.dtype) + " " + shape_text(a.shape) + ">";
      });
  m.def("zeros", &zeros, py::arg("shape"));
}

template <class Value>
void bind_matrix(py::module_& m, const char* name, const char* what, const std::vector<Offset>& limits) {
  using Csr = DeviceCsr<Value>;
  py::class_<Csr>(m, name, py::module_local(), what)
      .def(py::init(&make_csr<Value>), py::arg("indptr"), py::arg("indices"), py::arg("data"), py::arg("columns"),
           py::arg("limits") = limits)
      .def_property_readonly("shape", [](const Csr& A) { return py::make_tuple(A.rows(), A.cols()); })
      .def_property_readonly("nnz", &Csr::nnz)
      .def_property_readonly("buckets", [](const Csr& A) {
        py::dict sizes;
        sizes["short"] = A.bucket_size(kShort);
        sizes["medium"] = A.bucket_size(kMedium);
        sizes["long"] = A.bucket_size(kLong);
        sizes["giant"] = A.bucket_size(kGiant);
        return sizes;
      });
  m.def("product", &py_product<Value>, py::arg("A"), py::arg("x"), py::arg("out"));
}

void bind_kernels(py::module_& m) {
  const BucketLimits usual;
  const std::vector<Offset> limits{usual.thread, usual.warp, usual.block, usual.segment};
  bind_matrix<double>(m, "DeviceCsr", "A sparse matrix in device memory, its rows sorted into buckets by length.",
                      limits);
  bind_matrix<float>(m, "DeviceSingleCsr", "A DeviceCsr of float32 values; vectors and sums are float64 all the same.",
                     limits);
  m.attr("bucket_limits") = py::tuple(py::cast(limits));
  m.def("bucket_rows", &bucket_rows, py::arg("indptr"), py::arg("limits") = limits);
  m.def("copy", &py_copy, py::arg("source"), py::arg("out"));
  m.def("axpby", &py_axpby, py::arg("a"), py::arg("x"), py::arg("b"), py::arg("y"));
  m.def("multiply", &py_multiply, py::arg("x"), py::arg("y"), py::arg("out"));
  m.def("clip", &py_clip, py::arg("x"), py::arg("lower"), py::arg("upper"), py::arg("out"));
  m.def("prox", &py_prox, py::arg("terms"), py::arg("tau"), py::arg("v"), py::arg("out"));
  m.def("dot", &py_dot, py::arg("pairs"));
  m.def("largest_magnitude", &py_largest_magnitude, py::arg("arrays"));
  m.def("primal_step", &py_primal_step, py::arg("state"), py::arg("last"));
  m.def("dual_step", &py_dual_step, py::arg("state"), py::arg("last"));
  py::class_<PdhgBlocks>(m, "PdhgBlocks", py::module_local(),
                         "Runs the blocks of one state and keeps their recorded graphs.")
      .def(py::init<>())
      .def("run", &py_run<double>, py::arg("K"), py::arg("transpose"), py::arg("state"), py::arg("iterations"))
      .def("run", &py_run<float>, py::arg("K"), py::arg("transpose"), py::arg("state"), py::arg("iterations"))
      .def_property_readonly("graphs", &PdhgBlocks::graphs);
}

void bind_device(py::module_& m) {
  m.def("device_count", [] { return device_status().count; });
  m.def(
      "device_reason", [] { return device_status().reason; }, "Why there is no usable device; empty if there is one.");
  m.def("device_name", &device_name);
  m.def("driver_version", &driver_version, "As CUDA counts: 13000 is 13.0; 0 without a driver.");
  m.def("runtime_version", &runtime_version);
  m.def("synchronise", [] {
    const py::gil_scoped_release release;
    synchronise();
  });
  py::class_<Stream>(m, "Stream", py::module_local(), "The one stream kantor queues its work on.")
      .def(py::init<>())
      .def_property_readonly("ptr", [](const Stream&) { return stream_handle(); })
      .def("__cuda_stream__", [](const Stream&) { return py::make_tuple(0, stream_handle()); });
  m.attr("architectures") = KANTOR_CUDA_ARCHITECTURES;
}

}  // namespace
}  // namespace kantor::cuda

PYBIND11_MODULE(_cuda, m) {
  m.doc() = "CUDA kernels of kantor; see kantor.backends.cuda.";
  py::register_local_exception_translator(&kantor::cuda::translate);
  kantor::cuda::bind_arrays(m);
  kantor::cuda::bind_kernels(m);
  kantor::cuda::bind_device(m);
}
