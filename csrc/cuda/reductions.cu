#include <algorithm>

#include "stream.hpp"
#include "vector_bodies.hpp"
#include "vectors.hpp"

namespace kantor::cuda {

namespace {

// One launch of at most kMostItems items: results (count, k) in device memory behind the partial sums.
template <int Columns, class Element>
void reduce_columns(const ReduceItem* items, Offset count, Offset k, double* out) {
  if constexpr (Columns < kMostColumns) {
    if (k > Columns) return reduce_columns<2 * Columns, Element>(items, count, k, out);
  }
  ItemArray list{};
  Offset most_chunks = 0;
  for (Offset i = 0; i < count; ++i) {
    list.item[i] = items[i];
    most_chunks = std::max(most_chunks, chunks_of(items[i].n, Columns));
  }
  const Offset column_tiles = (k + Columns - 1) / Columns;
  double* results = scratch(count * k * (most_chunks + 1));
  double* partials = results + count * k;
  launch({most_chunks, count, column_tiles}, stream(),
         ReduceBody<Columns, Element, ItemArray>{list, k, most_chunks, partials});
  launch({1, count, column_tiles}, stream(),
         ReduceChunksBody<Columns, typename Element::Join, ItemArray>{list, k, most_chunks, partials, results});
  download(out, results, static_cast<size_t>(count * k) * sizeof(double));
}

template <class Element>
std::vector<double> reduce(const Pairs& pairs, bool both) {
  std::vector<ReduceItem> items;
  const Offset k = pairs.empty() ? 1 : pairs.front().first.columns();
  for (const auto& [x, y] : pairs) {
    KANTOR_REQUIRE(x.shape.size() == pairs.front().first.shape.size() && x.columns() == k,
                   "x: shape " + shape_text(x.shape) + ", expected as many columns as in " +
                       shape_text(pairs.front().first.shape) + ", the first of the batch");
    if (both) require_shape("y", y, x.shape);
    items.push_back({x.read("x"), both ? y.read("y") : x.read("x"), x.rows()});
  }
  std::vector<double> out(items.size() * static_cast<size_t>(k));
  const auto count = static_cast<Offset>(items.size());
  for (Offset i = 0; i < count && k > 0; i += kMostItems) {
    reduce_columns<1, Element>(items.data() + i, std::min<Offset>(kMostItems, count - i), k, out.data() + i * k);
  }
  return out;
}

}  // namespace

std::vector<double> dot(const Pairs& pairs) { return reduce<Product>(pairs, true); }

std::vector<double> largest_magnitude(const Pairs& pairs) { return reduce<Magnitude>(pairs, false); }

}  // namespace kantor::cuda
