// y = x · Wᵀ for many rows of x in 16 bits: panels of W (int16_panel), and all rows of x by each
// (`Products`: VNNI's or AMX's).

constexpr std::int64_t kCachedRows = 32;  // of x, all of which the second-level cache holds
constexpr std::int64_t kFilledFor = 5;    // rows of x whose products, by VNNI, take less time than
                                          // their panel

/// A panel and all rows of x by it; meanwhile comes what `ahead` has.
template <class Number, class Products>
CONVERGIO_INLINE void int16_panel(const Weights& w, const Int16Rows& x, std::int64_t row,
                                  std::int64_t end, std::int64_t from, float* y,
                                  std::int64_t y_stride, Panel& panel, Products& products,
                                  Ahead& ahead) {
  const std::int64_t cols = block_cols(w, from);
  Ahead* const while_filling = x.n <= kFilledFor ? &ahead : nullptr;
  for (int v = 0; v < kVectorsOut && row + v * kLanesOut < end; ++v) {
    fill_panel<Number>(w, row + v * kLanesOut, end, from, cols, v, panel, while_filling);
  }
  const auto outputs = static_cast<int>(end - row < kOutputs ? end - row : kOutputs);
  products.run(w, x, from, cols, panel, y, y_stride, outputs, ahead);
}

/// Adds the scales and biases of up to `most` rows.
CONVERGIO_INLINE void add_groups(Ahead& ahead, const RowsAfter& rows, std::int64_t most) {
  const Weights& w = *rows.weights;
  const std::int64_t count = w.rows - rows.row < most ? w.rows - rows.row : most;
  const std::int64_t groups = w.cols / w.group * group_bytes(w);
  ahead.add(w.scales + rows.row * groups, count * groups, 1, 0);
  if (w.biases != nullptr) {
    ahead.add(w.biases + rows.row * groups, count * groups, 1, 0);
  }
}

/// Adds inputs [from, from + cols) of up to kOutputs rows; with the first of them, the scales and
/// biases of all.
template <class Number>
CONVERGIO_INLINE void add_rows(Ahead& ahead, const RowsAfter& rows, std::int64_t from,
                               std::int64_t cols) {
  if (rows.weights == nullptr) {
    return;
  }
  const Weights& w = *rows.weights;
  const std::int64_t left = w.rows - rows.row;
  const std::int64_t count = left < kOutputs ? left : kOutputs;
  const std::int64_t bytes = cols * Number::kBits / 8;
  const std::uint8_t* const at = w.data + rows.row * row_bytes(w) + from * Number::kBits / 8;
  if (cols == w.cols) {
    ahead.add(at, count * bytes, 1, 0);
  } else {
    ahead.add(at, bytes, count, row_bytes(w));
  }
  if (from == 0) {
    add_groups(ahead, rows, kOutputs);
  }
}

/// The outputs [begin, end) for all rows of x. Meanwhile the rows of W that follow are prefetched.
template <class Number, class Products>
static void int16_matmul_of(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                            std::int64_t begin, std::int64_t end, const RowsAfter& after,
                            Panel& panel) {
  Products products(w, x.n);
  if (x.n <= kCachedRows) {  // W as it lies in memory
    for (std::int64_t row = begin; row < end; row += kOutputs) {
      Ahead ahead(products.steps(x.n, w.cols) +
                  (x.n <= kFilledFor ? fill_steps<Number>(w.cols) : 0));
      add_rows<Number>(ahead, row + kOutputs < end ? RowsAfter{&w, row + kOutputs} : after, 0,
                       w.cols);
      for (std::int64_t from = 0; from < w.cols; from += kInt16Cols) {
        int16_panel<Number>(w, x, row, end, from, y + (row - begin), y_stride, panel, products,
                            ahead);
      }
    }
    return;
  }
  for (std::int64_t from = 0; from < w.cols; from += kInt16Cols) {  // a block of x stays there
    for (std::int64_t row = begin; row < end; row += kOutputs) {
      Ahead ahead(products.steps(x.n, block_cols(w, from)));
      const std::int64_t next = from + kInt16Cols;
      if (row + kOutputs < end) {
        add_rows<Number>(ahead, {&w, row + kOutputs}, from, block_cols(w, from));
      } else if (next < w.cols) {
        add_rows<Number>(ahead, {&w, begin}, next, block_cols(w, next));
      } else {
        add_rows<Number>(ahead, after, 0, block_cols(w, 0));
      }
      int16_panel<Number>(w, x, row, end, from, y + (row - begin), y_stride, panel, products,
                          ahead);
    }
  }
}

template <class Products>
static void int16_matmul(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                         std::int64_t begin, std::int64_t end, const RowsAfter& after, void* work) {
  with_int16_number(w, [&]<class Number>() CONVERGIO_LAMBDA {
    int16_matmul_of<Number, Products>(w, x, y, y_stride, begin, end, after,
                                      *static_cast<Panel*>(work));
  });
}
