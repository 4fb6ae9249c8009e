#include <exception>
#include <new>
#include <stdexcept>

#include "bindings/bindings.h"
#include "engine/failure.h"
#include "io/error.h"

namespace nb = nanobind;

namespace convergio::bindings {

namespace {

const char* kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::InvalidRequest:
      return "InvalidRequest";
    case ErrorKind::ModelNotFound:
      return "ModelNotFound";
    case ErrorKind::ModelCorrupt:
      return "ModelCorrupt";
    case ErrorKind::UnsupportedModel:
      return "UnsupportedModel";
    case ErrorKind::ContextLength:
      return "ContextLength";
    case ErrorKind::Constraint:
      return "Constraint";
    case ErrorKind::OutOfMemory:
      return "OutOfMemory";
    case ErrorKind::Cancelled:
      return "Cancelled";
    case ErrorKind::Timeout:
      return "Timeout";
    case ErrorKind::LoadFailed:
      return "LoadFailed";
    case ErrorKind::InferenceFailed:
      return "InferenceFailed";
    case ErrorKind::Unavailable:
      return "Unavailable";
    case ErrorKind::Internal:
      return "Internal";
  }
  return "Internal";
}

void raise(const Error& error) {
  try {
    const nb::object by_kind = nb::module_::import_("convergio_mlx.errors").attr("ERROR_BY_KIND");
    const nb::object type = by_kind[kind_name(error.kind())];
    PyErr_SetObject(type.ptr(), type(error.what()).ptr());
  } catch (nb::python_error& failed) {
    failed.restore();
  }
}

}  // namespace

/// Errors of the core become the classes of convergio_mlx.errors, and so do a failed allocation and
/// an invalid argument, such as a value of CONVERGIO_MLX_THREADS.
void bind_errors(nb::module_&) {
  nb::register_exception_translator([](const std::exception_ptr& raised, void*) {
    try {
      std::rethrow_exception(raised);
    } catch (const Error& error) {
      raise(error);
    } catch (const std::bad_alloc&) {
      raise(engine::classify(raised, ErrorKind::OutOfMemory));
    } catch (const std::invalid_argument& error) {  // a setting of ours, or of MLX
      raise(Error(ErrorKind::InvalidRequest, error.what()));
    }
  });
}

}  // namespace convergio::bindings
