// Which bytes of a mapped file a device's buffers bind where they lie, and which have to be read
// into memory of their own.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace convergio::io {

// Where a tensor lies in its file.
struct Extent {
  std::size_t begin;  // bytes from the start of the file
  std::size_t bytes;
  std::size_t item;  // bytes of one number: a device may bind it at multiples of that
};

// What a device can bind of mapped memory.
struct Binding {
  enum class Kind {
    Anywhere,  // each tensor, at any byte
    Pages,     // whole pages; a tensor within them at a multiple of its item
    Nothing,
  };
  Kind kind = Kind::Nothing;
  std::size_t page = 0;     // bytes
  std::size_t longest = 0;  // bytes of one buffer
};

// The buffers over a file's pages, where Binding::kind is Pages; none else. Each spans tensors that
// follow each other and can all be bound, and is cut where it would be longer than the longest.
// Runs of less than kShortestRun are left to be read, so that pages at the edges, which are counted
// though they are not needed, are a few percent at most.
class MappingPlan {
 public:
  struct Buffer {
    std::size_t begin;  // a multiple of the page
    std::size_t bytes;  // likewise: the last one may reach past the end of the file, in its page
  };

  static constexpr std::size_t kShortestRun = std::size_t{1} << 20;

  // tensors: all of one file, in any order.
  MappingPlan(std::span<const Extent> tensors, const Binding& binding);

  const std::vector<Buffer>& buffers() const { return buffers_; }  // by their begin
  // The buffer in which a tensor can be bound; nullptr where it has to be read.
  const Buffer* buffer_of(const Extent& tensor) const;

 private:
  std::vector<Buffer> buffers_;
};

}  // namespace convergio::io
