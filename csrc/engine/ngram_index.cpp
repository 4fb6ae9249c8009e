#include "engine/ngram_index.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

namespace convergio::engine {

namespace {

constexpr std::size_t kFewestSlots = 256;

std::size_t hash(std::span<const int> ngram) {
  std::uint64_t mixed = 0;
  for (const int token : ngram) {
    mixed = (mixed ^ static_cast<std::uint64_t>(token)) * 0x9E3779B97F4A7C15U;
    mixed ^= mixed >> 32U;
  }
  return mixed;
}

/// The slot of an n-gram: the one that has a place behind it, or an empty one.
std::size_t slot_of(std::span<const int> places, std::span<const int> tokens,
                    std::span<const int> ngram) {
  const std::size_t mask = places.size() - 1;
  std::size_t slot = hash(ngram) & mask;
  for (; places[slot] != 0; slot = (slot + 1) & mask) {
    const auto end = static_cast<std::size_t>(places[slot]);
    if (std::ranges::equal(tokens.subspan(end - ngram.size(), ngram.size()), ngram)) {
      break;
    }
  }
  return slot;
}

}  // namespace

void NgramIndex::grow(std::span<const int> tokens) {
  if (2 * tokens.size() > places_.front().size()) {
    const std::size_t slots = std::bit_ceil(std::max(2 * tokens.size(), kFewestSlots));
    decltype(places_) grown;  // all or, where there is no memory, none
    for (std::vector<int>& places : grown) {
      places.assign(slots, 0);
    }
    places_ = std::move(grown);
    indexed_ = 0;
  }
  // a place behind the last token is none: nothing has followed there
  for (; indexed_ < tokens.size(); ++indexed_) {
    for (std::size_t n = kShortest; n <= std::min(kLongest, indexed_); ++n) {
      std::vector<int>& places = places_[n - kShortest];
      const auto ngram = tokens.subspan(indexed_ - n, n);
      places[slot_of(places, tokens, ngram)] = static_cast<int>(indexed_);
    }
  }
}

std::optional<int> NgramIndex::find(std::span<const int> tokens) const {
  for (std::size_t n = std::min(kLongest, tokens.size()); n >= kShortest; --n) {
    const std::vector<int>& places = places_[n - kShortest];
    if (const int place = places[slot_of(places, tokens, tokens.last(n))]; place != 0) {
      return place;
    }
  }
  return std::nullopt;
}

}  // namespace convergio::engine
