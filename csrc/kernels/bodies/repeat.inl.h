// Sixteen numbers, one a group, kept in memory: where no register holds them all.

struct Groups {
  float at[16 + kLanes];
};
CONVERGIO_INLINE void set(Groups& g, int first, V v) { store(g.at + first, v); }
/// The numbers from `first` on, each kTimes in a row.
template <int kTimes>
CONVERGIO_INLINE V repeat(const Groups& g, int first) {
  return repeat_from<kTimes>(g.at + first);
}
