#include "model/layer_state.h"

#include <cstring>
#include <utility>

#include "io/error.h"
#include "kernels/mlx/primitive.h"

namespace convergio::model {

namespace {

mx::array zeros(const mx::Shape& shape) {
  std::size_t bytes = sizeof(float);
  for (const auto dim : shape) {
    bytes *= static_cast<std::size_t>(dim);
  }
  mx::array a(kernels::memory(bytes), shape, mx::float32);
  std::memset(a.data<float>(), 0, bytes);
  return a;
}

}  // namespace

LayerState::LayerState(const arch::Recurrence& sizes) {
  parts_.push_back({.now = zeros({sizes.taps - 1, sizes.channels}), .next = {}, .marks = {}});
  if (sizes.heads > 0) {
    parts_.push_back(
        {.now = zeros({sizes.heads, sizes.value_dim, sizes.key_dim}), .next = {}, .marks = {}});
  }
}

mx::array LayerState::take(StatePart part, bool in_place) {
  std::optional<mx::array>& now = at(part).now;
  at(part).marks.clear();
  if (!now) {
    throw Error(ErrorKind::Internal, "[state] a pass that failed has written over the state.");
  }
  return in_place ? *std::exchange(now, std::nullopt) : *now;
}

void LayerState::put(StatePart part, mx::array next) { at(part).next = std::move(next); }

const mx::array& LayerState::mark(StatePart part) {
  return at(part).marks.emplace_back(at(part).next.value());
}

LayerState LayerState::marked(std::size_t index) const {
  LayerState state = *this;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    state.parts_[i] = {.now = parts_[i].marks.at(index), .next = {}, .marks = {}};
  }
  return state;
}

void LayerState::drop_marks() {
  for (Part& part : parts_) {
    part.marks.clear();
  }
}

void LayerState::commit() {
  for (Part& part : parts_) {
    if (part.next) {
      part.now = std::exchange(part.next, std::nullopt);
    }
  }
}

bool LayerState::rollback() {
  bool sound = true;
  for (Part& part : parts_) {
    sound = sound && part.now.has_value();
    part.next.reset();
    part.marks.clear();
  }
  return sound;
}

std::size_t LayerState::bytes() const {
  std::size_t total = 0;
  for (const Part& part : parts_) {
    total += (part.now ? part.now->nbytes() : 0) + (part.next ? part.next->nbytes() : 0);
  }
  return total;
}

std::vector<mx::array> LayerState::arrays() const {
  std::vector<mx::array> all;
  for (const Part& part : parts_) {
    for (const std::optional<mx::array>& one : {part.now, part.next}) {
      if (one) {
        all.push_back(*one);
      }
    }
  }
  return all;
}

}  // namespace convergio::model
