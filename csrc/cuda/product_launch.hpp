// The launches of one product with its End: all tiles, then the partial sums of giant rows where there are any.
#pragma once

#include "products.hpp"
#include "stream.hpp"

namespace kantor::cuda {

template <int Columns, class Value, class End>
void launch_product(const BucketedCsr<Value>& A, const double* x, Offset k, double* partials, const End& end) {
  const Offset column_tiles = ceil_divide(k, Columns);
  launch({product_blocks(A.rows, A.segments, Columns), column_tiles}, stream(),
         ProductBody<Columns, Value, End>{A, x, k, partials, end});
  launch({A.rows.size(kGiant), column_tiles}, stream(), GiantBody<Columns, End>{A.rows, k, partials, end});
}

}  // namespace kantor::cuda
