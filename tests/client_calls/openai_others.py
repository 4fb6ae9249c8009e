"""OpenAI's client at completions, responses, models, and at what is not served."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from client_calls import GREEDY, MODEL
from client_calls.openai_chats import CALLS, CAPITAL, ROME, WEATHER, Film, ask, said

TOOL: Any = {"type": "function", **WEATHER["function"]}
QUESTION: str = CAPITAL[0]["content"]


def respond(client: Any, given: Any = QUESTION, **options: Any) -> Any:
    """A response, short where nothing is said of its length."""
    return client.responses.create(input=given, **{**GREEDY, "max_output_tokens": 40, **options})


def complete(client: Any, **options: Any) -> Any:
    """A completion of a text."""
    given = {"prompt": "The capital of France is", "max_tokens": 8, **options}
    return client.completions.create(**{**GREEDY, **given})


@CALLS.works("completions.create(prompt=…)")
def _(client: Any) -> None:
    """The text is continued, without a chat template."""
    assert "Paris" in complete(client).choices[0].text


@CALLS.works("… create(prompt=[…, …]), create(prompt=[token ids])")
def _(client: Any) -> None:
    """Each text has its answer, and tokens are continued."""
    alone = complete(client).choices[0].text
    several = complete(client, prompt=["Once upon a time", "The capital of France is"])
    assert several.choices[1].text == alone
    assert complete(client, prompt=[504, 3575]).choices[0].text


@CALLS.works("… create(stream=True), create(logprobs=2), create(n=2)")
def _(client: Any) -> None:
    """As of chats."""
    whole = complete(client, logprobs=2).choices[0]
    assert "".join(whole.logprobs.tokens) == whole.text
    assert "".join(one.choices[0].text for one in complete(client, stream=True)) == whole.text
    assert len(complete(client, n=2).choices) == 2


CALLS.refused("… create(echo=True)", lambda client: complete(client, echo=True))
CALLS.refused('… create(suffix="…")', lambda client: complete(client, suffix="end"))
CALLS.refused("… create(n=1, best_of=3)", lambda client: complete(client, best_of=3))


@CALLS.works("responses.create(input=…, instructions=…)")
def _(client: Any) -> None:
    """It is the answer of a chat with these messages."""
    made = respond(client, instructions="Answer in one word.")
    system = {"role": "system", "content": "Answer in one word."}
    assert made.output_text == said(ask(client, [system, *CAPITAL])) != ""


@CALLS.works("… create(input=[messages, calls and their results])")
def _(client: Any) -> None:
    """What was answered is given back, with the result of a call."""
    made = respond(client, ROME, tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    (call,) = made.output
    assert json.loads(call.arguments)["city"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "It rains."}
    assert respond(client, [*ROME, *made.output, result]).output_text


@CALLS.works("… create(stream=True), responses.stream(…)")
def _(client: Any) -> None:
    """The pieces are the whole answer, which the client puts together."""
    whole = respond(client).output_text
    events = [*respond(client, stream=True)]
    deltas = [one.delta for one in events if one.type == "response.output_text.delta"]
    assert "".join(deltas) == whole
    given: Any = {**GREEDY, "input": QUESTION, "max_output_tokens": 40}
    with client.responses.stream(**given) as stream:
        stream.until_done()
        assert stream.get_final_response().output_text == whole


@CALLS.works("responses.parse(text_format=PydanticModel)")
def _(client: Any) -> None:
    """`output_parsed` is a value of the model."""
    made = client.responses.parse(input=QUESTION, text_format=Film, **GREEDY)
    assert isinstance(made.output_parsed, Film)


@CALLS.works('… create(include=["message.output_text.logprobs"], top_logprobs=2)')
def _(client: Any) -> None:
    """Each token of the text has its own."""
    part = respond(client, include=["message.output_text.logprobs"], top_logprobs=2).output[0]
    told = part.content[0].logprobs
    assert b"".join(bytes(one.bytes) for one in told).decode().strip() == part.content[0].text


@CALLS.works("… create(max_output_tokens=5)")
def _(client: Any) -> None:
    """It is incomplete, and says why."""
    made = respond(client, max_output_tokens=5)
    assert (made.status, made.incomplete_details.reason) == ("incomplete", "max_output_tokens")


_PICTURE = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]
for _shown, _given in (
    ("previous_response_id=…", {"previous_response_id": "resp_1"}),
    ("conversation=…", {"conversation": "conv_1"}),
    ("background=True", {"background": True}),
    ('tools=[{"type": "web_search"}]', {"tools": [{"type": "web_search"}]}),
    ("input=[picture]", {"given": _PICTURE}),
):
    CALLS.refused(f"… create({_shown})", lambda client, given=_given: respond(client, **given))


@CALLS.works("models.list(), models.retrieve(id)")
def _(client: Any) -> None:
    """They are those that are served, with their windows."""
    assert [one.id for one in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).context_window == 8192


_FILE = ("a.txt", b"text")
_UNSERVED: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("models.delete(id)", lambda client: client.models.delete(MODEL)),
    ("chat.completions.list()", lambda client: client.chat.completions.list()),
    ("chat.completions.retrieve(id)", lambda client: client.chat.completions.retrieve("x")),
    ("responses.retrieve(id)", lambda client: client.responses.retrieve("x")),
    ("responses.cancel(id)", lambda client: client.responses.cancel("x")),
    ("responses.delete(id)", lambda client: client.responses.delete("x")),
    (
        "responses.input_tokens.count(…)",
        lambda client: client.responses.input_tokens.count(model=MODEL, input="x"),
    ),
    ("responses.compact(…)", lambda client: client.responses.compact(model=MODEL, input="x")),
    ("conversations.create()", lambda client: client.conversations.create()),
    (
        "embeddings.create(…)",
        lambda client: client.embeddings.create(model=MODEL, input="x"),
    ),
    ("images.generate(…)", lambda client: client.images.generate(model=MODEL, prompt="x")),
    (
        "audio.speech.create(…)",
        lambda client: client.audio.speech.create(model=MODEL, input="x", voice="alloy"),
    ),
    (
        "audio.transcriptions.create(…)",
        lambda client: client.audio.transcriptions.create(model=MODEL, file=_FILE),
    ),
    ("videos.create(…)", lambda client: client.videos.create(model="sora-2", prompt="x")),
    (
        "files.create(…)",
        lambda client: client.files.create(file=_FILE, purpose="user_data"),
    ),
    (
        "uploads.create(…)",
        lambda client: client.uploads.create(
            bytes=4, filename="a.txt", mime_type="text/plain", purpose="user_data"
        ),
    ),
    ("vector_stores.create()", lambda client: client.vector_stores.create()),
    ("containers.create(…)", lambda client: client.containers.create(name="x")),
    ("skills.list()", lambda client: client.skills.list()),
    ("batches.list()", lambda client: client.batches.list()),
    ("moderations.create(…)", lambda client: client.moderations.create(input="x")),
    ("fine_tuning.jobs.list()", lambda client: client.fine_tuning.jobs.list()),
    ("evals.list()", lambda client: client.evals.list()),
    ("beta.assistants.list()", lambda client: client.beta.assistants.list()),
    ("beta.threads.create()", lambda client: client.beta.threads.create()),
    (
        "realtime.client_secrets.create()",
        lambda client: client.realtime.client_secrets.create(),
    ),
)
for _shown, _run in _UNSERVED:
    CALLS.refused(_shown, _run)
