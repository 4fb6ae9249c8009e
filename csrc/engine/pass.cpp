#include "engine/pass.h"

#include <algorithm>

#include "engine/reserve.h"
#include "kernels/mlx/primitive.h"
#include "kernels/ops/take_rows.h"

namespace convergio::engine {

namespace {

/// The tokens of all shares, one after another.
mx::array ids_of(std::span<const Share> shares) {
  std::vector<int> ids;
  for (const Share& one : shares) {
    const auto from = one.answer->tokens().begin() + one.answer->cache().length();
    ids.insert(ids.end(), from, from + one.rows);
    const std::vector<int>& drafted = one.answer->drafted();
    ids.insert(ids.end(), drafted.begin(), drafted.end());
  }
  return mx::array(ids.begin(), {static_cast<int>(ids.size())}, mx::int32);
}

mx::array hidden_states(std::span<const Share> shares) {
  const Share& first = shares.front();
  if (shares.size() == 1) {
    return forward(*first.answer, ids_of(shares), first.drafted,
                   /*interruptible=*/first.rows > 1, first.marks);
  }
  std::vector<model::Segment> segments;
  for (const Share& one : shares) {
    segments.push_back({&one.answer->cache(), one.rows + one.drafted, one.drafted, one.marks});
  }
  return first.answer->model().forward(ids_of(shares), segments);
}

/// The rows whose logits are wanted, by their places in the pass.
std::vector<int> decided_rows(std::span<const Share> shares) {
  std::vector<int> rows;
  int end = 0;
  for (const Share& one : shares) {
    end += one.rows + one.drafted;
    for (int row = end - logits_of(one); row < end; ++row) {
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace

int rows_of(std::span<const Share> shares) {
  int rows = 0;
  for (const Share& one : shares) {
    rows += one.rows + one.drafted;
  }
  return rows;
}

int logits_of(const Share& share) { return share.last ? 1 + share.drafted : 0; }

std::optional<mx::array> run_pass(std::span<const Share> shares) {
  const bool overlaps = std::ranges::any_of(
      shares, [](const Share& one) { return one.last && one.decoder->overlaps(); });
  std::optional<kernels::Eager> eager;
  if (overlaps) {
    reserve_for_graphs();
  } else {
    eager.emplace();
  }
  const mx::array hidden = hidden_states(shares);
  for (const Share& one : shares) {
    one.answer->take_snapshots(one.marks);
  }
  const std::vector<int> rows = decided_rows(shares);
  if (rows.empty()) {
    return std::nullopt;
  }
  return shares.front().answer->model().logits(kernels::take_rows(hidden, rows));
}

}  // namespace convergio::engine
