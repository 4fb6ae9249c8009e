"""The edge of the store: which errors leave it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from convergio_mlx.errors import StorageError
from convergio_mlx.store.layout import remedy_for
from convergio_mlx.store.progress import HostError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def operation(
    what: str,
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Makes a function one of the store's: an error of the file system that nothing below has put
    into words leaves it as a StorageError, and what the host's own callback raised as it was.

    Args:
        what: what the function does, as in "cannot … the model".
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(function)
        def call(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
            try:
                return function(*arguments, **options)
            except HostError as stopped:
                raise stopped.error from stopped.error.__cause__
            except OSError as error:
                where = f"{error.filename!r}: " if error.filename is not None else ""
                raise StorageError(
                    f"[store] cannot {what} ({where}{error.strerror or error}); "
                    f"{remedy_for(error)} and try again."
                ) from error

        return call

    return decorate
