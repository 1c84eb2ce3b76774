// Row buckets, tiles, reduction trees, products and reductions of csrc/cuda, run on the CPU with the device's order of
// additions. Sizes are the awkward ones: 0, 1, 31, 33, 1000003 rows, empty rows, a row of a million nonzeros, power
// laws.
#include "cuda_host.hpp"

namespace kantor::cuda::test {
namespace {

const BucketLimits kTiny{2, 5, 11, 4};  // every bucket within a few dozen nonzeros

// Each row stands once in its bucket's range, in rising order; each nonzero of a giant row in one segment.
void check_buckets(const std::vector<Offset>& row_ptr, const BucketLimits& limits, const std::string& where) {
  const auto rows = static_cast<Offset>(row_ptr.size()) - 1;
  const BuiltBuckets built = build_buckets(row_ptr.data(), rows, limits);
  const RowBuckets view = built.on_host();
  CHECK(view.first[0] == 0 && view.first[kBuckets] == rows, where);
  std::vector<int> seen(static_cast<size_t>(rows), 0);
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    Offset previous = -1;
    for (Offset number = view.first[bucket]; number < view.first[bucket + 1]; ++number) {
      const Offset row = view.row(number);
      ++seen[static_cast<size_t>(row)];
      CHECK(row > previous, where);
      previous = row;
      CHECK(bucket_of(row_ptr[row + 1] - row_ptr[row], limits) == bucket, where);
    }
  }
  for (const int times : seen) CHECK(times == 1, where);
  Offset expected = view.size(kGiant) > 0 ? row_ptr[view.row(0)] : 0;
  for (Offset s = 0; s < built.segments(); ++s) {
    const Segment part = segment_of(view, row_ptr.data(), s);
    if (s > 0 && built.segment_owner[s] != built.segment_owner[s - 1]) {
      CHECK(expected == row_ptr[segment_of(view, row_ptr.data(), s - 1).row + 1], where);
      expected = row_ptr[part.row];
    }
    CHECK(part.begin == expected && part.end > part.begin && part.end - part.begin <= limits.segment, where);
    expected = part.end;
  }
}

// Blocks cover the items of every bucket once, heavy buckets first.
void check_tiles(const RowBuckets& view, Offset segments, int columns, const std::string& where) {
  Offset next[kBuckets] = {};
  int bucket = 0;
  for (Offset block = 0; block < product_blocks(view, segments, columns); ++block) {
    const Tile tile = tile_of(view, segments, columns, block);
    CHECK(tile.bucket >= bucket && tile.item == next[tile.bucket], where);
    bucket = tile.bucket;
    next[bucket] += items_per_block(bucket, columns);
  }
  for (int b = 0; b < kBuckets; ++b) CHECK(next[b] >= (b == kGiant ? segments : view.size(b)), where);
}

void test_buckets() {
  std::mt19937_64 random(7);
  std::uniform_int_distribution<Offset> length(0, 40);
  for (const Offset rows : {0, 1, 31, 33, 1003}) {
    std::vector<Offset> row_ptr{0};
    for (Offset i = 0; i < rows; ++i) row_ptr.push_back(row_ptr.back() + length(random));
    const std::string where = std::to_string(rows) + " rows";
    check_buckets(row_ptr, kTiny, where);
    const BuiltBuckets built = build_buckets(row_ptr.data(), rows, kTiny);
    for (int columns = 1; columns <= kMostColumns; columns *= 2) {
      check_tiles(built.on_host(), built.segments(), columns, where);
    }
  }
}

// Offsets beyond 2^31: the arithmetic needs only row_ptr, so it can be checked without the memory.
void test_more_than_2_31_nonzeros() {
  const std::vector<Offset> row_ptr{0, 3'000'000'000, 3'000'000'005, 8'000'000'006, 8'000'000'006};
  check_buckets(row_ptr, {}, "offsets beyond 2^31");
  const BuiltBuckets built = build_buckets(row_ptr.data(), 4, {});
  CHECK(built.segments() == ceil_divide(3'000'000'000, 16384) + ceil_divide(5'000'000'001, 16384), "");
  CHECK(segment_of(built.on_host(), row_ptr.data(), built.segments() - 1).end == 8'000'000'006, "");
}

void test_tile_columns() {
  for (Offset k = 1; k <= 100; ++k) {
    const int columns = tile_columns(k);
    CHECK((columns & (columns - 1)) == 0 && columns <= kMostColumns, std::to_string(k));
    CHECK((columns >= k && columns < 2 * k) || (columns == kMostColumns && k > columns), std::to_string(k));
  }
}

// The tree as its description says it, written apart from it: lanes by halving to `columns`, then the warps by halving.
template <int Columns>
void check_tree(const std::vector<double>& share) {
  HostBlock block(0, 0, 0);
  std::vector<double> got(Columns, NAN), expected(Columns);
  block.by_block<Sum, Columns>([&](int t) { return share[static_cast<size_t>(t)]; },
                               [&](int c, double sum) { got[static_cast<size_t>(c)] = sum; });
  std::vector<double> v = share;
  for (size_t stride = 16; stride >= Columns; stride /= 2)
    for (size_t w = 0; w < 256; w += 32)
      for (size_t l = 0; l < stride; ++l) v[w + l] += v[w + l + stride];
  for (size_t c = 0; c < Columns; ++c) {
    const auto at = [&](size_t w) { return v[32 * w + c]; };
    expected[c] = ((at(0) + at(4)) + (at(2) + at(6))) + ((at(1) + at(5)) + (at(3) + at(7)));
  }
  CHECK(got == expected, std::to_string(Columns) + " columns");
}

void test_trees() {
  std::mt19937_64 random(11);
  const std::vector<double> share = normals(256, random);
  check_tree<1>(share);
  check_tree<2>(share);
  check_tree<4>(share);
  check_tree<8>(share);
  check_tree<16>(share);
  check_tree<32>(share);
}

// A x on the emulated device against a plain serial product, and the same bits from a second run.
template <class Random>
void check_product(const HostCsr& A, Offset k, const BucketLimits& limits, bool whole, Random& random,
                   const std::string& name) {
  const std::string where = name + ", k = " + std::to_string(k);
  std::vector<double> x(static_cast<size_t>(A.cols * k));
  std::uniform_int_distribution<int> integer(1, (1 << 10) - 1);
  std::normal_distribution<double> normal;
  for (double& value : x) value = whole ? integer(random) : normal(random);
  const DeviceCsr<double> device(A.view(), limits);
  const DeviceArray from = on_device(x, {A.cols, k});
  DeviceArray out = on_device(std::vector<double>(static_cast<size_t>(A.rows() * k), NAN), {A.rows(), k});
  multiply(device, from, out);
  const std::vector<double> got = on_host(out);
  multiply(device, from, out);
  CHECK(got == on_host(out), where);
  for (Offset i = 0; i < A.rows(); ++i)
    for (Offset j = 0; j < k; ++j) {
      long double sum = 0.0L, size = 0.0L;
      for (auto p = static_cast<size_t>(A.row_ptr[i]); p < static_cast<size_t>(A.row_ptr[i + 1]); ++p) {
        const long double term = static_cast<long double>(A.values[p]) * x[static_cast<size_t>(A.col_idx[p] * k + j)];
        sum += term;
        size += std::fabs(term);
      }
      const auto error = std::fabs(got[static_cast<size_t>(i * k + j)] - sum);
      const bool good = whole ? error == 0.0L : error <= 1e-12L * size;
      if (!good) return CHECK(good, where + ", row " + std::to_string(i));
    }
}

void test_products() {
  std::mt19937_64 random(13);
  std::uniform_int_distribution<Offset> length(0, 40);
  for (const size_t rows : {0, 1, 31, 33, 257}) {
    std::vector<Offset> lengths(rows);
    for (Offset& l : lengths) l = length(random);
    if (rows > 3) lengths[3] = lengths[rows - 1] = 0;
    for (const bool whole : {true, false}) {
      const HostCsr A = matrix_of(lengths, 53, random, whole);
      for (const Offset k : {1, 2, 3, 5, 8, 13, 31, 32, 33, 70}) {
        check_product(A, k, kTiny, whole, random, std::to_string(rows) + " rows");
      }
    }
  }
}

// The values of A in float32; whole numbers below 2^20 are exact in it.
CsrView<float> single_view(const HostCsr& A, std::vector<float>& values) {
  values.assign(A.values.begin(), A.values.end());
  return {A.rows(), A.cols, A.row_ptr.data(), A.col_idx.data(), values.data()};
}

// A float32 matrix gives to the bit what the double matrix of the same numbers gives.
void test_single_values() {
  std::mt19937_64 random(29);
  const HostCsr A = matrix_of(std::vector<Offset>{3, 0, 7, 40, 1, 11, 12, 70000}, 53, random);
  std::vector<float> values;
  for (const BucketLimits& limits : {kTiny, BucketLimits{}})
    for (const Offset k : {1, 3, 33}) {
      const DeviceArray x = on_device(normals(A.cols * k, random), {A.cols, k});
      DeviceArray wide = on_device(std::vector<double>(static_cast<size_t>(A.rows() * k), NAN), {A.rows(), k});
      DeviceArray single = on_device(on_host(wide), {A.rows(), k});
      multiply(DeviceCsr<double>(A.view(), limits), x, wide);
      multiply(DeviceCsr<float>(single_view(A, values), limits), x, single);
      CHECK(on_host(wide) == on_host(single), std::to_string(k) + " columns");
    }
}

void test_products_at_full_size() {
  std::mt19937_64 random(17);
  std::vector<Offset> lengths(1'000'003);
  for (size_t i = 0; i < lengths.size(); ++i) lengths[i] = static_cast<Offset>(i % 4);
  check_product(matrix_of(lengths, 999'983, random), 1, {}, true, random, "1000003 rows");
  check_product(matrix_of(std::vector<Offset>{3, 1'000'000, 0, 2}, 1'000'000, random), 1, {}, true, random, "giant");
  check_product(matrix_of(std::vector<Offset>{3, 1'000'000, 0, 2}, 77, random, false), 3, {}, false, random, "giant");
  std::vector<Offset> tail(2000);  // lengths by a power law: every bucket at its usual limits
  std::uniform_real_distribution<double> uniform(1e-4, 1.0);
  for (Offset& l : tail) l = static_cast<Offset>(std::min(80'000.0, 3.0 * std::pow(uniform(random), -1.1)));
  tail[5] = 16;
  tail[6] = 17;
  tail[7] = 1024;
  tail[8] = 1025;
  tail[9] = 65536;
  tail[10] = 65537;
  check_product(matrix_of(tail, 1000, random), 1, {}, true, random, "power law");
  check_product(matrix_of(tail, 1000, random, false), 2, {}, false, random, "power law");
}

void test_reductions() {
  std::mt19937_64 random(19);
  for (const Offset k : {1, 2, 5, 33}) {
    Pairs pairs;
    std::vector<double> expected, sizes, tops;
    for (const Offset n : {0, 1, 31, 33, 8191, 8193, 100'003}) {
      const std::vector<double> x = normals(n * k, random), y = normals(n * k, random);
      pairs.emplace_back(on_device(x, {n, k}), on_device(y, {n, k}));
      for (Offset j = 0; j < k; ++j) {
        long double sum = 0.0L, size = 0.0L;
        double top = 0.0;
        for (auto i = static_cast<size_t>(j); i < x.size(); i += static_cast<size_t>(k)) {
          sum += static_cast<long double>(x[i]) * y[i];
          size += std::fabs(static_cast<long double>(x[i]) * y[i]);
          top = std::fmax(top, std::fabs(x[i]));
        }
        expected.push_back(static_cast<double>(sum));
        sizes.push_back(static_cast<double>(size));
        tops.push_back(top);
      }
    }
    const std::vector<double> got = dot(pairs);
    CHECK(got == dot(pairs), "repeatable");
    for (size_t i = 0; i < got.size(); ++i) CHECK(std::fabs(got[i] - expected[i]) <= 1e-12 * sizes[i], "dot");
    CHECK(largest_magnitude(pairs) == tops, "largest magnitude");
  }
  Pairs many(3 * kMostItems + 1, {on_device({1.0, 2.0}), on_device({3.0, -5.0})});
  CHECK(dot(many) == std::vector<double>(many.size(), -7.0), "more items than one launch takes");
  for (const size_t at : {0, 31, 8192, 20'000}) {
    std::vector<double> x(20'001, 1.0);
    x[5] = INFINITY;
    x[at] = NAN;
    CHECK(std::isnan(largest_magnitude({{on_device(x), {}}})[0]), "NaN at " + std::to_string(at));
    CHECK(std::isnan(dot({{on_device(x), on_device(x)}})[0]), "NaN at " + std::to_string(at));
  }
}

}  // namespace
}  // namespace kantor::cuda::test

int main() {
  using namespace kantor::cuda::test;
  test_buckets();
  test_more_than_2_31_nonzeros();
  test_tile_columns();
  test_trees();
  test_products();
  test_single_values();
  test_products_at_full_size();
  test_reductions();
  return report("csrc/cuda on the host");
}
