#include "io/dtype.h"

#include <algorithm>
#include <array>

namespace convergio::io {
namespace {

struct Row {
  Dtype dtype;
  std::size_t bytes;
  std::string_view name;
};

// In the order of the enum, so that a row is found by its dtype's number.
constexpr std::array rows = {
    Row{Dtype::Bool, 1, "BOOL"},       Row{Dtype::U8, 1, "U8"},
    Row{Dtype::I8, 1, "I8"},           Row{Dtype::F8_E4M3, 1, "F8_E4M3"},
    Row{Dtype::F8_E5M2, 1, "F8_E5M2"}, Row{Dtype::F8_E8M0, 1, "F8_E8M0"},
    Row{Dtype::U16, 2, "U16"},         Row{Dtype::I16, 2, "I16"},
    Row{Dtype::F16, 2, "F16"},         Row{Dtype::BF16, 2, "BF16"},
    Row{Dtype::U32, 4, "U32"},         Row{Dtype::I32, 4, "I32"},
    Row{Dtype::F32, 4, "F32"},         Row{Dtype::U64, 8, "U64"},
    Row{Dtype::I64, 8, "I64"},         Row{Dtype::F64, 8, "F64"},
    Row{Dtype::C64, 8, "C64"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(rows[i].dtype) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

std::size_t size_of(Dtype dtype) { return rows[static_cast<std::size_t>(dtype)].bytes; }

std::string_view name_of(Dtype dtype) { return rows[static_cast<std::size_t>(dtype)].name; }

std::optional<Dtype> dtype_from_name(std::string_view name) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == name; });
  return row == rows.end() ? std::nullopt : std::optional(row->dtype);
}

}  // namespace convergio::io
