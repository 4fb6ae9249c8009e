#pragma once

#include <memory>

#include "engine/constraint.h"
#include "engine/request.h"

// What Python holds of objects that are shared with the worker. nanobind's caster of shared_ptr
// makes one at each call, noexcept, and needs the GIL to let go of it.
namespace convergio::bindings {

struct ConstraintHandle {
  std::shared_ptr<engine::Constraint> constraint;
};

struct RequestHandle {
  std::shared_ptr<engine::Request> request;
};

struct NotifierHandle {
  std::shared_ptr<engine::Notifier> notifier;
};

}  // namespace convergio::bindings
