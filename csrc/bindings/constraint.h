#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "engine/constraint.h"

namespace convergio::bindings {

/// A Python callable as a Constraint, called and let go of under the GIL; null for None. It gets
/// the list of newly accepted tokens and returns a mask (any buffer of whole 32-bit words), a list
/// of forced tokens, or None to end the answer. What it raises becomes an Error (Constraint).
std::shared_ptr<engine::Constraint> wrap_constraint(nanobind::object callable);

}  // namespace convergio::bindings
