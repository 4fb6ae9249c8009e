"""Frozen programs, as PyInstaller makes them, have no interpreter that could render chat templates
in a process of its own: they start themselves again for it."""

from __future__ import annotations

import os
import sys

_WORD = "--convergio-mlx-render-templates"
_supported = False


def freeze_support() -> None:
    """For a frozen program to call before anything else; one of PyInstaller's calls it by itself.

    Where the program was started again to render chat templates, it does that and ends. Outside of
    frozen programs it does nothing.
    """
    global _supported  # noqa: PLW0603 (of the program, as `sys.frozen` is)
    if not getattr(sys, "frozen", False):
        return
    if sys.argv[1:] == [_WORD]:
        from convergio_mlx.text import template_renderer

        with open(0, "rb") as requests, open(1, "wb") as answers:
            template_renderer.serve(requests, answers)
        os._exit(0)  # what the program would do at its end was not begun
    _supported = True


def command() -> list[str] | None:
    """The command that renders chat templates; None: this is no program that can."""
    if not _supported:
        return None
    # py2app has an interpreter beside the program, and says in the environment which is which
    application = getattr(sys, "frozen", None) == "macosx_app"
    program = os.environ.get("EXECUTABLEPATH") if application else None
    return [program or sys.executable, _WORD]
