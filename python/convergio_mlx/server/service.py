"""What all interfaces of a server share: its models, the room for answers, what it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.stream import AsyncEventStream
from convergio_mlx.errors import DeadlineExceededError
from convergio_mlx.providers.interface import ModelConfig
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server.answers import Answers, EventResponse, Writer, while_there
from convergio_mlx.server.ascii_json import AsciiJsonResponse
from convergio_mlx.server.metrics import Metrics
from convergio_mlx.server.problems import STOPPING, Problem, RefusedError, refusal
from convergio_mlx.server.settings import ServerSettings
from convergio_mlx.text.tokenizer import Tokenizer


@dataclass
class Service:
    """A provider with a server's settings and its state; for one asyncio loop."""

    provider: MlxProvider
    settings: ServerSettings
    metrics: Metrics = field(default_factory=Metrics)
    stopping: bool = False
    _known: dict[str, ModelConfig] = field(default_factory=dict)

    async def models(self) -> list[ModelConfig]:
        """The models that are served: installed ones, and of these the ones in the settings."""
        found = await asyncio.to_thread(self.provider.list_models)
        allowed = self.settings.models
        models = [
            model
            for model in found
            if model.installed and (not allowed or model.id in map(self.provider.bare_id, allowed))
        ]
        self._known = {model.id: model for model in models}
        return models

    async def model(self, name: str) -> ModelConfig:
        """A model that is served, by its id. Folders are none, so that nobody who asks chooses
        what is read.

        Raises:
            RefusedError: there is none of that id.
        """
        bare = self.provider.bare_id(name)
        if bare not in self._known:
            await self.models()
        if bare not in self._known:
            there = ", ".join(sorted(self._known)) or "none"
            raise RefusedError(
                Problem(
                    404,
                    "invalid_request_error",
                    "model_not_found",
                    f"[server] there is no model {name[:200]!r} here; give one of: {there}.",
                    "model",
                )
            )
        return self._known[bare]

    async def tokenizer(self, model: str) -> Tokenizer:
        """A model's tokenizer."""
        return await asyncio.to_thread(self.provider.tokenizer, model)

    async def answers(
        self, streams: Callable[[], Sequence[AsyncEventStream]], count: int
    ) -> Answers:
        """Answers that have begun.

        Args:
            streams: opens them.
            count: how many there will be.

        Raises:
            RefusedError: there is no room for them now, or never.
            ConvergioError: the request cannot be honoured.
        """
        if self.stopping:
            raise RefusedError(STOPPING)
        limit = self.settings.max_requests
        if count > limit:
            raise refusal(
                f"[server] {count} answers are asked for, and {limit} at once are the most here; "
                "ask for fewer.",
                "n",
            )
        if self.metrics.under_way + count > limit:
            raise RefusedError(
                Problem(
                    503,
                    "server_error",
                    "overloaded",
                    f"[server] {self.metrics.under_way} of {limit} answers are under way; ask "
                    "again when some are complete.",
                    retry_after=1,
                )
            )
        answers = Answers(streams(), self.metrics)
        seconds = self.settings.request_seconds
        try:
            async with asyncio.timeout(seconds):  # loading is not within the answer's own deadline
                await answers.start()
        except TimeoutError as error:
            answers.close()
            raise DeadlineExceededError(
                f"[server] the model was not there within {seconds:g} s; ask again."
            ) from error
        except BaseException:
            answers.close()
            raise
        return answers

    async def respond(
        self,
        request: Request,
        streams: Callable[[], Sequence[AsyncEventStream]],
        count: int,
        writer: Writer | None,
        whole: Callable[[Sequence[ChatResponse]], object],
    ) -> Response:
        """The response to a request for answers, which end where its client leaves.

        Args:
            request: the client's.
            streams: opens the answers.
            count: how many there will be.
            writer: writes them as they are made; None: they are sent once all are complete.
            whole: what is sent then, for JSON.

        Raises:
            RefusedError, ConvergioError: see `answers`.
            ClientDisconnect: it left.
        """
        answers = await while_there(request, lambda: self.answers(streams, count))
        if writer is not None:
            return EventResponse(answers, writer, self.settings.body_seconds)
        try:
            responses = await while_there(request, answers.whole)
        finally:
            answers.close()
        return AsciiJsonResponse(whole(responses))
