#include "engine/snapshots.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace convergio::engine {

void Snapshots::add(model::Snapshot snapshot, bool shared) {
  const std::size_t bytes = snapshot.bytes();
  insert({.stored = std::make_shared<const Stored>(
              Stored{.snapshot = std::move(snapshot), .bytes = bytes}),
          .shared = shared});
}

void Snapshots::insert(One one) {
  const std::size_t bytes = one.bytes();
  const auto at = std::ranges::lower_bound(all_, one.length(), {}, &One::length);
  if (at != all_.end() && at->length() == one.length()) {
    bytes_ -= at->bytes();
    one.shared = one.shared || at->shared;
    *at = std::move(one);
  } else {
    all_.insert(at, std::move(one));
  }
  bytes_ += bytes;
}

void Snapshots::merge(const Snapshots& others) {
  for (const One& one : others.all_) {
    insert(one);
  }
}

void Snapshots::drop_beyond(int length) {
  while (!all_.empty() && all_.back().length() > length) {
    bytes_ -= all_.back().bytes();
    all_.pop_back();
  }
}

bool Snapshots::thin() {
  if (all_.size() < 3) {
    return false;
  }
  // shared ones last, then by what running from the one before to the next would take
  auto least = all_.begin() + 1;
  const auto worth = [](auto at) {
    return std::tuple(at->shared, (at + 1)->length() - (at - 1)->length());
  };
  for (auto at = least + 1; at != all_.end() - 1; ++at) {
    if (worth(at) < worth(least)) {
      least = at;
    }
  }
  bytes_ -= least->bytes();
  all_.erase(least);
  return true;
}

void Snapshots::clear() {
  all_.clear();
  bytes_ = 0;
}

bool Snapshots::worth_having(int length) const {
  const auto behind = std::ranges::upper_bound(all_, length, {}, &One::length);
  const int before = behind == all_.begin() ? 0 : (behind - 1)->length();
  return length - before >= kWorthSnapshot;
}

}  // namespace convergio::engine
