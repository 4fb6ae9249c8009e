// How the kernels take the rows of x: so many at a time as their registers hold.

/// f<size>(first row) for rows [0, n): of the first size while so many are left, then of the next.
/// The last size is 1.
template <int kSize, int... kSmaller, class F>
CONVERGIO_INLINE void for_row_tiles(std::int64_t n, const F& f, std::int64_t from = 0) {
  for (; from + kSize <= n; from += kSize) {
    f.template operator()<kSize>(from);
  }
  if constexpr (sizeof...(kSmaller) > 0 && kSize > 1) {
    for_row_tiles<kSmaller...>(n, f, from);
  } else {
    static_assert(kSize == 1);
  }
}
