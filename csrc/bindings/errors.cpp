#include <exception>

#include "bindings/bindings.h"
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
    case ErrorKind::Internal:
      return "Internal";
  }
  return "Internal";
}

}  // namespace

/// Errors of the core become the classes of convergio_mlx.errors.
void bind_errors(nb::module_&) {
  nb::register_exception_translator([](const std::exception_ptr& raised, void*) {
    try {
      std::rethrow_exception(raised);
    } catch (const Error& error) {
      try {
        const nb::object by_kind =
            nb::module_::import_("convergio_mlx.errors").attr("ERROR_BY_KIND");
        const nb::object type = by_kind[kind_name(error.kind())];
        PyErr_SetObject(type.ptr(), type(error.what()).ptr());
      } catch (nb::python_error& failed) {
        failed.restore();
      }
    }
  });
}

}  // namespace convergio::bindings
