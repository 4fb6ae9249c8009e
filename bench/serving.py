"""Two hundred clients at once: is each answered, with its own answer, and does memory stay flat?

    python bench/serving.py [--clients 200] [--seconds 300] [--json FILE]

Starts `convergio-mlx serve` with the embedded model as a process of its own. Each client asks again
and again, in a way that it draws: whole or streamed, sampled with a seed, reading slowly, leaving
amid an answer, with a body that is too large or none. Each answer is compared with what the library
itself gives to the same messages and seed. Printed are how many of each there were, how evenly the
clients were served, what the server held (memory, open files) after each tenth of the time, and
what a token takes in the engine and over the server, with nobody else there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

import convergio_mlx as cm

MODEL = "convergio-guide"
CHAT = "/v1/chat/completions"
SAMPLES = 10
QUESTIONS = (
    *("What are you?", "How do I download a model?", "Which model fits in 8 GB of memory?"),
    *("How do I start a chat?", "Where do models lie?", "What is quantization?"),
)
SEEDS = range(4)
TOKENS = 24
WAYS = {"whole": 8, "streamed": 8, "slow": 2, "leaves": 3, "large": 1, "malformed": 1}
"""How a client may ask, and how often relative to the others."""
SLOW_SECONDS = 0.02
"""Between two pieces that a slow reader takes."""
LARGE = 17 << 20
"""Bytes of a body beyond the limit."""


def options(seed: int) -> dict[str, Any]:
    """How an answer is made: so that the library gives the same."""
    return {"temperature": 1.0, "seed": seed, "max_tokens": TOKENS}


def expected_answers() -> dict[tuple[str, int], str]:
    """What each question with each seed is answered by, by the library alone."""
    with cm.MlxProvider() as provider:
        return {
            (question, seed): provider.chat(MODEL, None, question, **options(seed)).text
            for question in QUESTIONS
            for seed in SEEDS
        }


@dataclass
class Server:
    """`convergio-mlx serve` as a process of its own."""

    process: subprocess.Popen[str]
    url: str

    @classmethod
    def started(cls, requests: int) -> Server:
        """Waits until it serves."""
        command = [sys.executable, "-m", "convergio_mlx", "serve", "--port", "0"]
        process = subprocess.Popen(
            [*command, "--max-requests", str(requests), "-m", MODEL],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        line = process.stderr.readline()
        if "Serving at " not in line:
            raise SystemExit(f"[bench] the server did not start: {line}")
        return cls(process, line.partition("Serving at ")[2].partition("/v1")[0])

    def resident_bytes(self) -> int:
        """What it has in memory now; 0 where the system does not say."""
        statm = Path(f"/proc/{self.process.pid}/statm")
        if not statm.exists():
            return 0
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def open_files(self) -> int:
        """Connections and all else that it has open; 0 where the system does not say."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        return len([*folder.iterdir()]) if folder.exists() else 0

    def holds(self) -> dict[str, float]:
        """Memory and open files, once the files have stayed the same for half a second.

        A client sees its connection closed before the server has closed its own end.
        """
        over, same, open_files = time.monotonic() + 20, 0, self.open_files()
        while same < 5 and time.monotonic() < over:
            time.sleep(0.1)
            now = self.open_files()
            same, open_files = (same + 1 if now == open_files else 0), now
        return {"memory_mb": self.resident_bytes() / 1e6, "open_files": open_files}

    def stop(self) -> int:
        """Ends it as Ctrl-C does; its exit code."""
        self.process.terminate()
        code = self.process.wait(60)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@dataclass
class Tally:
    """What became of the requests."""

    ways: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """Answers that are another's, and statuses that are none of this request's."""
    come_again: int = 0
    """Times that a client was told that there is no room, and came again."""
    answered: Counter[int] = field(default_factory=Counter)
    """Whole answers of each client."""
    longest: float = 0.0
    """Seconds of the slowest whole answer."""


class Client:
    """Asks one request after the other until the time is over."""

    def __init__(
        self, number: int, http: httpx.AsyncClient, right: dict[tuple[str, int], str], tally: Tally
    ) -> None:
        self._number = number
        self._http = http
        self._right = right
        self._tally = tally
        self._dice = random.Random(number)

    async def run(self, until: float) -> None:
        """Asks; a request that has begun is completed, and nobody goes without an answer."""
        while time.monotonic() < until or not self._tally.answered[self._number]:
            (way,) = self._dice.choices([*WAYS], [*WAYS.values()])
            question, seed = self._dice.choice(QUESTIONS), self._dice.choice(SEEDS)
            body = {
                "model": MODEL,
                "messages": [{"role": "user", "content": question}],
                **options(seed),
            }
            begun = time.monotonic()
            try:
                text = await getattr(self, f"_{way}")(body)
            except (httpx.HTTPError, OSError) as error:
                self._tally.wrong.append(f"{way}: {type(error).__name__} {error}")
                continue
            self._tally.ways[way] += 1
            if text is None:
                continue
            if text != self._right[question, seed]:
                self._tally.wrong.append(f"{way}: {question!r} {seed} got {text!r}")
            self._tally.answered[self._number] += 1
            self._tally.longest = max(self._tally.longest, time.monotonic() - begun)

    async def _whole(self, body: dict[str, Any]) -> str:
        while True:
            answer = await self._http.post(CHAT, json=body)
            if not await self._waited(answer):
                said = answer.json()
                return said["choices"][0]["message"]["content"] if "choices" in said else str(said)

    async def _waited(self, answer: httpx.Response) -> bool:
        """Whether there was no room, after the time that the server names for that."""
        if answer.status_code != 503:
            return False
        self._tally.come_again += 1
        await asyncio.sleep(float(answer.headers["retry-after"]) * self._dice.uniform(0.5, 1.5))
        return True

    async def _streamed(
        self, body: dict[str, Any], pause: float = 0.0, pieces: int | None = None
    ) -> str | None:
        """The text of a stream, read with pauses; None where it is left after so many pieces."""
        while True:
            async with self._http.stream("POST", CHAT, json={**body, "stream": True}) as answer:
                if await self._waited(answer):
                    continue
                text, is_done = "", False
                async for line in answer.aiter_lines():
                    if line == "data: [DONE]":
                        is_done = True
                    elif line.startswith("data: "):
                        choice = json.loads(line.removeprefix("data: "))["choices"][0]
                        text += choice["delta"].get("content") or ""
                        if pieces is not None and (pieces := pieces - 1) < 0:
                            return None
                        if pause:
                            await asyncio.sleep(pause)
                return text if is_done else f"{text} (cut off)"

    async def _slow(self, body: dict[str, Any]) -> str | None:
        return await self._streamed(body, SLOW_SECONDS)

    async def _leaves(self, body: dict[str, Any]) -> None:
        await self._streamed(body, pieces=self._dice.randrange(TOKENS // 2))

    async def _large(self, body: dict[str, Any]) -> None:
        """A body whose head says how large it is, of which nothing else is sent."""
        url = self._http.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = [f"POST {CHAT} HTTP/1.1", f"host: {url.netloc.decode()}", f"content-length: {LARGE}"]
        writer.write("\r\n".join([*head, "", ""]).encode())
        status = await reader.readline()
        writer.close()
        if b" 413 " not in status:
            self._tally.wrong.append(f"{status!r} for a body of {LARGE} bytes")

    async def _malformed(self, body: dict[str, Any]) -> None:
        text = json.dumps(body)
        bodies = [text[: self._dice.randrange(len(text))], "\ud800", "[" * 100_000]
        bodies += [json.dumps({**body, "temperature": "warm"}), json.dumps([body])]
        content = self._dice.choice(bodies).encode(errors="surrogatepass")
        while await self._waited(answer := await self._http.post(CHAT, content=content)):
            pass
        if answer.status_code != 400:
            self._tally.wrong.append(f"{answer.status_code}, malformed: {answer.text[:200]}")


async def load(
    server: Server, clients: int, seconds: float, right: dict[tuple[str, int], str]
) -> tuple[Tally, list[dict[str, float]]]:
    """What becomes of the requests of so many clients, and what the server holds meanwhile."""
    tally, held = Tally(), []
    context = httpx.create_ssl_context()  # one for all, which is what takes time of a client
    async with AsyncExitStack() as stack:
        until = time.monotonic() + seconds
        asking = []
        for number in range(clients):  # each on connections of its own, as programs are
            client = httpx.AsyncClient(base_url=server.url, timeout=300, verify=context)
            http = await stack.enter_async_context(client)
            asking.append(asyncio.ensure_future(Client(number, http, right, tally).run(until)))
        for _ in range(SAMPLES):
            await asyncio.sleep(seconds / SAMPLES)
            held.append(
                {"memory_mb": server.resident_bytes() / 1e6, "open_files": server.open_files()}
            )
        await asyncio.gather(*asking)
    return tally, held


def token_milliseconds(server: Server, tokens: int = 200, rounds: int = 5) -> tuple[float, float]:
    """What a token takes in the engine, and over the server: medians over all tokens."""
    own = {"max_tokens": tokens, "temperature": 0}
    messages = [{"role": "user", "content": QUESTIONS[0]}]
    body = {"model": MODEL, "messages": messages, "stream": True, "ignore_eos": True, **own}
    alone: list[float] = []
    over: list[float] = []
    with cm.Engine.load(MODEL) as engine, httpx.Client(base_url=server.url, timeout=300) as http:
        for _ in range(rounds):
            alone += _gaps(engine.stream(messages, ignore_eos=True, **own))  # type: ignore[arg-type]
            with http.stream("POST", CHAT, json=body) as answer:
                over += _gaps(line for line in answer.iter_lines() if '"content":' in line)
    return statistics.median(alone) * 1e3, statistics.median(over) * 1e3


def _gaps(pieces: Iterable[Any]) -> list[float]:
    """Seconds from each piece to the next."""
    times = [time.perf_counter() for _ in pieces]
    return [after - before for before, after in pairwise(times)]


def main() -> None:
    """Prints what is found; ends with 1 where an answer was wrong or lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--max-requests", type=int, default=64, help="of the server")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    right = expected_answers()
    server = Server.started(given.max_requests)
    try:
        alone, over = token_milliseconds(server)
        at_rest = server.holds()
        tally, held = asyncio.run(load(server, given.clients, given.seconds, right))
        after = server.holds()
        left = httpx.get(f"{server.url}/metrics").text
    finally:
        code = server.stop()
    counts = [tally.answered[number] for number in range(given.clients)]
    under_way = next(line for line in left.splitlines() if line.startswith("convergio_answers_und"))
    found = {
        "clients": given.clients,
        "seconds": given.seconds,
        "requests": dict(tally.ways),
        "told_to_come_again": tally.come_again,
        "wrong": tally.wrong[:20],
        "answers_of_a_client": [min(counts), statistics.median(counts), max(counts)],
        "longest_seconds": round(tally.longest, 2),
        "ms_per_token": {"engine": round(alone, 3), "server": round(over, 3)},
        "at_rest": at_rest,
        "held": held,
        "after": after,
        "under_way_after": int(under_way.split()[1]),
        "exit_code": code,
    }
    print(json.dumps(found, indent=2))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    sys.exit(bool(tally.wrong or found["under_way_after"] or code))


if __name__ == "__main__":
    main()
