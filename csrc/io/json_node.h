// What json.cpp and json_parser.cpp share: the inside of a Json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/json.h"

namespace convergio::io {

// Every array and object has one, and the root whatever it is. It doesn't move when its Json does,
// so children point to it, and the way up to the root gives a value's path.
struct Json::Node {
  Type type = Type::Null;  // Array, Object, or anything else for a scalar root
  const Node* parent = nullptr;
  std::string who;                    // the root's
  std::vector<Json> items;            // an array's
  std::vector<JsonMember> members;    // an object's
  std::vector<std::uint32_t> by_key;  // members in the order of their keys
};

}  // namespace convergio::io
