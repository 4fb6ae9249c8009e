"""`serve`: models behind the interfaces of OpenAI, Anthropic and Ollama, for other programs."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, finish
from convergio_mlx.cli.numbers import number, whole
from convergio_mlx.errors import InvalidRequestError, ModelNotFoundError, UnavailableError

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands

_KEY = "CONVERGIO_API_KEY"


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "serve",
        "serve models to other programs over HTTP",
        "Serve the installed models to other programs, at the interfaces of OpenAI "
        "(/v1/chat/completions, /v1/completions, /v1/responses, /v1/models), Anthropic "
        "(/v1/messages) and Ollama (/api/chat, /api/tags), with a page for chat at /, until "
        "Ctrl-C.\n\n"
        f"If {_KEY} is set, requests must bring it as their API key. Without one the server "
        "listens only where other machines cannot reach it.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="listen there (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port",
        default=8765,
        type=whole,
        metavar="N",
        help="listen at this port; 0 takes a free one (default: 8765)",
    )
    parser.add_argument(
        "-m",
        "--model",
        dest="models",
        action="append",
        default=[],
        metavar="MODEL",
        help="serve only this model, and load it at once; can be given several times (default: "
        "all that are installed, each loaded when it is first asked for)",
    )
    parser.add_argument(
        "--draft-model",
        dest="draft_models",
        action="append",
        default=[],
        type=_pair,
        metavar="MODEL=DRAFT",
        help="let DRAFT, a smaller model with the same tokenizer, draft tokens for MODEL, where "
        "that is faster; answers are the same; can be given several times",
    )
    parser.add_argument(
        "--origin",
        dest="origins",
        action="append",
        default=[],
        metavar="URL",
        help="let pages of this origin ask (CORS); can be given several times",
    )
    parser.add_argument(
        "--max-requests",
        default=64,
        type=whole,
        metavar="N",
        help="answers under way, waiting ones included (default: 64)",
    )
    parser.add_argument(
        "--timeout",
        default=600.0,
        type=number,
        metavar="SECONDS",
        help="end answers that are not complete by then (default: 600)",
    )
    parser.add_argument(
        "--idle",
        default=None,
        type=number,
        metavar="SECONDS",
        help="unload models that were not used for so long",
    )
    finish(parser, _run)


def _pair(given: str) -> tuple[str, str]:
    model, _, draft = given.partition("=")
    if not model or not draft:
        raise argparse.ArgumentTypeError(
            f"{given[:80]!r} is not a model and its draft model, such as large=small"
        )
    return model, draft


def _run(given: argparse.Namespace) -> None:
    """Serves until it is told to stop."""
    try:
        from convergio_mlx.server.run import ModelServer
        from convergio_mlx.server.settings import ServerSettings
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UnavailableError(
            f'[server] {error.name} is not installed; run `pip install "convergio-mlx[server]"`.'
        ) from error
    from convergio_mlx.cli.output import standard_error
    from convergio_mlx.providers.mlx import MlxProvider

    settings = ServerSettings(
        host=given.host,
        port=given.port,
        api_key=os.environ.get(_KEY),
        origins=tuple(given.origins),
        models=tuple(given.models),
        max_requests=given.max_requests,
        request_seconds=given.timeout,
    )
    drafts = dict(given.draft_models)
    with MlxProvider(idle_seconds=given.idle, draft_models=drafts) as provider:
        known = {config.id for config in provider.list_models() if config.installed}
        for model in settings.models:
            if provider.bare_id(model) not in known:  # a folder would be loaded, and never served
                raise ModelNotFoundError(
                    f"[server] there is no model {model!r} to serve; give the id of one that is "
                    f"installed: {', '.join(sorted(known))}."
                )
        served = {provider.bare_id(model) for model in settings.models} or known
        _check_drafts([provider.bare_id(model) for model, _ in given.draft_models], served)
        for model in settings.models:
            provider.load(model)
        server = ModelServer(provider, settings)
        page = f"a page for chat at {server.url}"
        standard_error().line(f"Serving at {server.url}/v1, {page}; Ctrl-C stops.")
        server.run()


def _check_drafts(models: list[str], served: set[str]) -> None:
    """Refuses what would be ignored: drafts for a model that is not served, or from two models."""
    for model in models:
        if model not in served:
            raise InvalidRequestError(
                f"[server] --draft-model is given for {model!r}, which is not served; give the id "
                f"of one that is: {', '.join(sorted(served))}."
            )
        if models.count(model) > 1:
            raise InvalidRequestError(
                f"[server] --draft-model is given {models.count(model)} times for {model!r}; "
                "give one model that drafts for it."
            )
