#include "arch/layer_faults.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace convergio::arch {

namespace {

constexpr std::size_t kShown = 100;  // more than a model has roles
constexpr std::size_t kMostDigits = 6;

/// A fault, cut at the number of the layer; without one, all is in `head`.
struct Fault {
  std::string head, tail;
  std::vector<int> layers;
};

Fault cut(const std::string& text) {
  constexpr std::string_view kLayers = "layers.";
  const std::size_t found = text.find(kLayers);
  if (found == std::string::npos) {
    return {text, "", {}};
  }
  const std::size_t begin = found + kLayers.size();
  const std::size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
  if (end == begin || end - begin > kMostDigits) {
    return {text, "", {}};
  }
  return {text.substr(0, begin), text.substr(end), {std::stoi(text.substr(begin, end - begin))}};
}

/// {0, 1, 2, 5} to "{0-2,5}", {3} to "3".
std::string ranges_text(std::vector<int> numbers) {
  std::ranges::sort(numbers);
  std::string text;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const int first = numbers[i];
    while (i + 1 < numbers.size() && numbers[i + 1] == numbers[i] + 1) {
      ++i;
    }
    text += (text.empty() ? "" : ",") + std::to_string(first);
    text += numbers[i] == first ? "" : "-" + std::to_string(numbers[i]);
  }
  return numbers.size() > 1 ? "{" + text + "}" : text;
}

}  // namespace

std::string join_faults(const std::vector<std::string>& faults) {
  std::vector<Fault> merged;
  std::map<std::pair<std::string, std::string>, std::size_t> place;
  for (const std::string& text : faults) {
    Fault fault = cut(text);
    const auto [entry, is_new] = place.try_emplace({fault.head, fault.tail}, merged.size());
    if (is_new) {
      merged.push_back(std::move(fault));
    } else {
      auto& layers = merged[entry->second].layers;
      layers.insert(layers.end(), fault.layers.begin(), fault.layers.end());
    }
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(merged.size(), kShown); ++i) {
    text += (i == 0 ? "" : "; ") + merged[i].head + ranges_text(merged[i].layers) + merged[i].tail;
  }
  if (merged.size() > kShown) {
    text += "; and " + std::to_string(merged.size() - kShown) + " more";
  }
  return text;
}

}  // namespace convergio::arch
