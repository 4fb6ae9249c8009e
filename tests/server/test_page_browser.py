"""What the page for chat does, in Chromium."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ModelServer, ServerSettings, serving

pytest.importorskip("playwright", reason="needs Playwright (tests/requirements.txt)")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Route,
    expect,
    sync_playwright,
)

GUIDE = "convergio-guide"
ANSWERS = "**/v1/chat/completions"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, and there is none on the PATH"),
]


class HoldsAnswers(MlxProvider):
    """Gives the first event of an answer, and the others when it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    async def _aopen(self, model: str, request: ChatRequest) -> Any:
        return _Held(await super()._aopen(model, request), self.goes_on)


class _Held:
    def __init__(self, source: Any, goes_on: threading.Event) -> None:
        self._source = source
        self._goes_on = goes_on
        self._given = 0

    async def __anext__(self) -> Any:
        self._given += 1
        while self._given > 1 and not self._goes_on.is_set():
            await asyncio.sleep(0.01)
        return await anext(self._source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, server: ModelServer) -> Iterator[BrowserContext]:
    """A browser's profile; a test fails where its pages break their own policy or throw."""
    faults: list[str] = []
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(10_000)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if "Content Security Policy" in message.text or "TrustedHTML" in message.text
            else None
        ),
    )
    yield context
    context.close()
    assert faults == []


@pytest.fixture
def tab(context: BrowserContext) -> Page:
    return opened(context)


def opened(context: BrowserContext) -> Page:
    tab = context.new_page()
    tab.goto("/")
    expect(tab.get_by_label("Model")).to_have_value(GUIDE)
    return tab


def ask(tab: Page, text: str) -> None:
    box = tab.get_by_role("textbox", name=re.compile("^(Message|Result of .*)$"))
    box.fill(text)
    box.press("Enter")


def finished(tab: Page) -> None:
    expect(tab.locator("#messages")).to_have_attribute("aria-busy", "false")


def texts(tab: Page) -> list[str]:
    return tab.locator("#messages article > .text").all_inner_texts()


def scripted(*deltas: dict[str, Any], finish: str = "stop") -> Callable[[Route], None]:
    """Answers a request by these, each a chunk."""
    chunks = [{"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    lines = [*map(json.dumps, chunks), "[DONE]"]
    return sends("".join(f"data: {line}\n\n" for line in lines))


def sends(body: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=body, content_type="text/event-stream")


def says(text: str) -> Callable[[Route], None]:
    return scripted({"content": text})


def test_an_answer_of_the_model_is_kept(tab: Page, provider: MlxProvider) -> None:
    question = "What are you?"
    tab.locator("#options summary").click()
    tab.get_by_label("Temperature").fill("0")
    tab.get_by_label("Most tokens").fill("9")
    ask(tab, question)
    finished(tab)
    asked: Any = [{"role": "user", "content": question}]
    expected = provider.chat(GUIDE, None, asked, temperature=0, max_tokens=9).text
    assert [text.strip() for text in texts(tab)] == [question, expected.strip()]
    expect(tab.locator(".note")).to_have_text("Cut off at the limit of tokens.")
    expect(tab.get_by_role("status")).to_have_text(expected.strip())
    before = texts(tab)
    tab.reload()
    expect(tab.locator("article")).to_have_count(2)
    assert texts(tab) == before
    expect(tab.get_by_label("Temperature")).to_have_value("0")
    assert tab.title().startswith(question)


@pytest.fixture
def held(browser: Browser) -> Iterator[tuple[Page, HoldsAnswers, str]]:
    """A page whose answers stop after their first piece until they may go on."""
    with HoldsAnswers() as provider, serving(provider, ServerSettings(port=0)) as server:
        context = browser.new_context(base_url=server.url)
        yield opened(context), provider, server.url
        provider.goes_on.set()
        context.close()


def under_way(url: str) -> bool:
    return "convergio_answers_under_way 0" not in httpx.get(f"{url}/metrics").text


def test_an_answer_is_shown_as_it_comes_and_read_out_once(
    held: tuple[Page, HoldsAnswers, str],
) -> None:
    tab, provider, _ = held
    ask(tab, "What are you?")
    answer = tab.locator("article.assistant > .text")
    expect(answer).not_to_be_empty()
    expect(tab.locator("#messages")).to_have_attribute("aria-busy", "true")
    expect(tab.get_by_role("status")).to_have_text("The model answers …")
    expect(tab.get_by_role("button", name="Send")).to_be_hidden()
    expect(tab.get_by_role("button", name="Edit")).to_be_disabled()
    piece = answer.inner_text()
    provider.goes_on.set()
    finished(tab)
    whole = answer.text_content() or ""
    assert whole.startswith(piece)
    expect(tab.get_by_role("status")).to_have_text(whole)
    assert tab.locator("[aria-live]").count() == 1


@pytest.mark.parametrize("way", ["key", "button"])
def test_an_answer_is_stopped(held: tuple[Page, HoldsAnswers, str], way: str) -> None:
    tab, _, url = held
    ask(tab, "What are you?")
    expect(tab.locator("article.assistant > .text")).not_to_be_empty()
    assert under_way(url)
    if way == "key":
        tab.keyboard.press("Escape")
    else:
        tab.get_by_role("button", name="Stop").click()
    finished(tab)
    expect(tab.locator(".note")).to_have_text("Stopped.")
    expect(tab.get_by_label("Message", exact=True)).to_be_focused()
    for _ in range(500):
        if not under_way(url):
            break
        tab.wait_for_timeout(10)
    assert not under_way(url)
    kept = texts(tab)
    tab.reload()
    expect(tab.locator("article")).to_have_count(2)
    assert texts(tab) == kept


def test_what_had_come_is_there_after_a_reload(held: tuple[Page, HoldsAnswers, str]) -> None:
    tab, _, _ = held
    ask(tab, "What are you?")
    answer = tab.locator("article.assistant > .text")
    expect(answer).not_to_be_empty()
    piece = answer.inner_text()
    tab.reload()
    expect(answer).to_have_text(re.compile("^" + re.escape(piece)))
    finished(tab)


def test_an_earlier_message_is_edited_and_an_answer_made_again(tab: Page) -> None:
    asked: list[list[str]] = []

    def answers(route: Route) -> None:
        sent = route.request.post_data_json["messages"]
        asked.append([message["content"] for message in sent])
        says(f"answer {len(asked)}")(route)

    tab.route(ANSWERS, answers)
    for question in ("one", "two"):
        ask(tab, question)
        finished(tab)
    tab.get_by_role("button", name="Answer again").click()
    expect(tab.locator("article").last).to_contain_text("answer 3")
    tab.get_by_role("button", name="Edit").first.click()
    box = tab.get_by_label("Your message")
    expect(box).to_be_focused()
    box.press("Escape")
    expect(tab.get_by_role("button", name="Edit").first).to_be_focused()
    tab.keyboard.press("Enter")
    box.fill("three")
    box.press("Enter")
    expect(tab.locator("article").last).to_contain_text("answer 4")
    second = ["one", "answer 1", "two"]
    assert asked == [["one"], second, second, ["three"]]
    assert [text.strip() for text in texts(tab)] == ["three", "answer 4"]


def test_chats_are_listed_and_deleted(tab: Page) -> None:
    tab.route(ANSWERS, says("yes"))
    for question in ("first", "second"):
        tab.get_by_role("button", name="New chat").click()
        ask(tab, question)
        finished(tab)
    opener = tab.get_by_role("button", name="first", exact=True)
    opener.click()
    expect(opener).to_have_attribute("aria-current", "true")
    assert [text.strip() for text in texts(tab)] == ["first", "yes"]
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.get_by_role("button", name="Delete first").click()
    expect(opener).to_have_count(0)
    expect(tab.locator("article")).to_have_count(0)
    tab.reload()
    expect(tab.get_by_role("button", name="second", exact=True)).to_be_visible()
    expect(opener).to_have_count(0)


def test_a_chat_deleted_amid_an_answer_stays_deleted(held: tuple[Page, HoldsAnswers, str]) -> None:
    tab, _, _ = held
    ask(tab, "What are you?")
    expect(tab.locator("article.assistant > .text")).not_to_be_empty()
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.get_by_role("button", name="Delete What are you?").click()
    finished(tab)
    tab.wait_for_timeout(1500)  # longer than between two writes of an answer under way
    assert tab.evaluate("localStorage.length") == 0
    expect(tab.locator("article")).to_have_count(0)


def test_two_tabs_keep_what_both_write(context: BrowserContext) -> None:
    """In chats of their own, and in one that both have open and change at the same time."""
    context.route(ANSWERS, says("yes"))
    left, right = opened(context), opened(context)
    for tab, question in ((left, "of the left"), (right, "of the right")):
        ask(tab, question)
        finished(tab)
    opener = right.get_by_role("button", name="of the left", exact=True)
    opener.click()
    ask(left, "goes on")
    expect(right.locator("article")).to_have_count(4)  # what the other one writes is shown
    context.unroute(ANSWERS)
    waiting: list[Route] = []
    context.route(ANSWERS, lambda route: waiting.append(route))  # noqa: PLW0108
    ask(left, "both, left")
    expect(right.locator("article")).to_have_count(5)
    ask(right, "both, right")
    while len(waiting) < 2:
        right.wait_for_timeout(10)
    for route in waiting:
        says("done")(route)
    finished(left)
    finished(right)
    stored = left.evaluate(
        "Object.keys(localStorage).map((key) => JSON.parse(localStorage[key]).messages)"
    )
    said = [[message["content"] for message in messages] for messages in stored]
    assert any("of the right" in chat for chat in said)
    start = ["of the left", "yes", "goes on", "yes", "both, left"]
    assert [*start, "done"] in said
    assert any(chat[:5] == start and "both, right" in chat for chat in said)


def test_what_another_tab_overwrote_is_kept_as_a_copy(context: BrowserContext) -> None:
    """Two tabs that write at the same moment: neither has seen the other's."""
    context.route(ANSWERS, says("yes"))
    left = opened(context)
    ask(left, "mine")
    finished(left)
    right = context.new_page()
    right.goto("/health")
    right.evaluate(
        """() => {
            const [key] = Object.keys(localStorage);
            const chat = JSON.parse(localStorage[key]);
            chat.messages = [{ role: "user", content: "theirs" }];
            localStorage[key] = JSON.stringify({ ...chat, from: "older", revision: "newer" });
        }"""
    )
    expect(left.get_by_role("button", name="mine", exact=True)).to_be_visible()
    expect(left.get_by_role("button", name="theirs", exact=True)).to_be_visible()
    left.reload()
    expect(left.locator("article")).to_have_count(2)
    assert [text.strip() for text in texts(left)] == ["mine", "yes"]


def test_a_key_is_asked_for_and_kept_for_the_tab(browser: Browser, provider: MlxProvider) -> None:
    with serving(provider, ServerSettings(port=0, api_key="right-key")) as server:
        context = browser.new_context(base_url=server.url)
        tab = context.new_page()
        tab.goto("/")
        box = tab.get_by_label("Key", exact=True)
        expect(box).to_be_focused()
        expect(tab.get_by_label("Message", exact=True)).to_be_hidden()
        box.fill("wrong")
        box.press("Enter")
        expect(tab.get_by_role("alert")).to_contain_text("is not the one of this server")
        box.fill("right-key")
        box.press("Enter")
        expect(tab.get_by_label("Model")).to_have_value(GUIDE)
        expect(box).to_be_hidden()
        ask(tab, "What are you?")
        finished(tab)
        expect(tab.locator("article.assistant > .text")).not_to_be_empty()
        tab.reload()
        expect(tab.get_by_label("Message", exact=True)).to_be_visible()
        assert "right-key" not in json.dumps(tab.evaluate("({...localStorage})"))
        other = context.new_page()
        other.goto("/")
        expect(other.get_by_label("Key", exact=True)).to_be_visible()
        context.close()


HOSTILE = """<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">

- <iframe srcdoc="<script>parent.hacked = 1</script>"></iframe>
- [a link](javascript:window.hacked=1) ![a picture](http://127.0.0.2/leak.png)

```html
<svg onload="window.hacked = 1">
```"""


def test_text_of_a_model_stays_text(tab: Page) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.route(ANSWERS, scripted({"reasoning_content": HOSTILE}, {"content": HOSTILE}))
    ask(tab, HOSTILE)
    finished(tab)
    tab.reload()
    expect(tab.locator("article")).to_have_count(2)
    assert tab.evaluate("window.hacked") is None
    made = tab.locator("#messages").locator("script, img, iframe, svg, a")
    assert made.count() == 0
    answer = tab.locator("article.assistant > .text")
    for text in ("<script>window.hacked = 1</script><img src=x", "<iframe srcdoc", "(javascript:"):
        expect(answer).to_contain_text(text)
    assert tab.locator("pre code").text_content() == '<svg onload="window.hacked = 1">'
    assert not [url for url in asked if "127.0.0.2" in url]


@pytest.mark.parametrize("unit", ["*", "**a ", "`", "# ", "- ", "  - a\n", "```\n", "> ", "1. "])
def test_no_text_takes_a_page_long(tab: Page, unit: str) -> None:
    tab.route(ANSWERS, says(unit * 20_000))
    ask(tab, "go")
    finished(tab)
    expect(tab.locator("article.assistant > .text")).not_to_be_empty()


MARKDOWN = """# Title
A *word* and **two words**, `code` and 2 * 3 * 4.

1. first
2. second
   - inner

```python
print("x")
```
"""


def test_markdown_becomes_elements(tab: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.route(ANSWERS, says(MARKDOWN))
    ask(tab, "go")
    finished(tab)
    answer = tab.locator("article.assistant > .text")
    expect(answer.locator("h3")).to_have_text("Title")
    expect(answer.locator("em")).to_have_text("word")
    expect(answer.locator("strong")).to_have_text("two words")
    expect(answer.locator("p > code")).to_have_text("code")
    expect(answer.locator("p")).to_contain_text("2 * 3 * 4.")
    expect(answer.locator("ol > li")).to_have_count(2)
    expect(answer.locator("ol ul > li")).to_have_text("inner")
    tab.get_by_role("button", name="Copy code").click()
    expect(tab.get_by_role("button", name="Copied")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()") == 'print("x")'
    tab.get_by_role("button", name="Copy", exact=True).last.click()
    expect(tab.get_by_role("button", name="Copied")).to_have_count(2)
    assert tab.evaluate("navigator.clipboard.readText()") == MARKDOWN


def test_reasoning_is_folded(tab: Page) -> None:
    tab.route(ANSWERS, scripted({"reasoning_content": "I think"}, {"content": "so"}))
    ask(tab, "go")
    finished(tab)
    thoughts = tab.get_by_text("I think")
    expect(thoughts).to_be_hidden()
    tab.get_by_text("Reasoning", exact=True).click()
    expect(thoughts).to_be_visible()


def test_calls_are_shown_and_get_their_results(tab: Page) -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Lisbon"}'}
    call = {"id": "call_1", "type": "function", "function": function}
    tab.route(ANSWERS, scripted({"tool_calls": [{"index": 0, **call}]}, finish="tool_calls"))
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]
    tab.locator("#options summary").click()
    tab.get_by_label("Tools").fill("[")
    ask(tab, "How is the weather?")
    expect(tab.get_by_role("alert")).to_contain_text("The tools are no JSON")
    tab.get_by_label("Tools").fill(json.dumps(tools))
    ask(tab, "How is the weather?")
    finished(tab)
    expect(tab.locator(".calls")).to_contain_text("get_weather")
    expect(tab.locator(".calls pre")).to_have_text(function["arguments"])
    tab.unroute(ANSWERS)
    sent: list[Any] = []

    def answers(route: Route) -> None:
        sent.append(route.request.post_data_json)
        says("Sunny.")(route)

    expect(tab.get_by_label("Result of get_weather")).to_be_visible()
    tab.route(ANSWERS, lambda route: route.abort())
    ask(tab, "sun")
    expect(tab.get_by_role("alert")).to_contain_text("cannot be reached")
    tab.route(ANSWERS, answers)
    tab.get_by_role("button", name="Ask again").last.click()
    expect(tab.locator("article").last).to_contain_text("Sunny.")
    expect(tab.get_by_label("Message", exact=True)).to_be_visible()
    assert sent[0]["tools"] == tools
    assert sent[0]["messages"][1:] == [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "sun", "tool_call_id": "call_1", "name": "get_weather"},
    ]


@pytest.mark.parametrize("finish", ["length", None])
def test_a_call_that_was_cut_off_gets_no_result(tab: Page, finish: str | None) -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Lis'}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    sent: list[Any] = []

    def answers(route: Route) -> None:
        sent.append(route.request.post_data_json["messages"])
        if len(sent) > 1:
            says("Sunny.")(route)
        elif finish:
            scripted({"tool_calls": [call]}, finish=finish)(route)
        else:  # the server goes away
            choice = {"delta": {"tool_calls": [call]}, "finish_reason": None}
            sends(f"data: {json.dumps({'choices': [choice]})}\n\n")(route)

    tab.route(ANSWERS, answers)
    ask(tab, "How is the weather?")
    finished(tab)
    expect(tab.locator(".calls pre")).to_have_text(function["arguments"])
    expect(tab.locator(".note")).to_have_text(re.compile("Cut off|Not complete"))
    expect(tab.get_by_label("Message", exact=True)).to_be_visible()
    ask(tab, "And in Rome?")
    expect(tab.locator("article").last).to_contain_text("Sunny.")
    assert sent[1][1:] == [
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "And in Rome?"},
    ]


def test_errors_are_told_in_the_server_s_words(tab: Page) -> None:
    alert = tab.get_by_role("alert")
    tab.locator("#options summary").click()
    tab.get_by_label("Most tokens").fill("1000000")
    ask(tab, "go")
    expect(alert).to_contain_text(re.compile(r"^\[\w+\] .*1000000"))
    expect(tab.locator("article")).to_have_count(1)
    tab.get_by_label("Most tokens").fill("")
    error = json.dumps({"error": {"message": "[engine] the computation failed; ask again."}})
    begun = json.dumps({"choices": [{"delta": {"content": "so"}, "finish_reason": None}]})
    cut = f"data: {begun}\n\n"
    for body, told in (
        (f"{cut}data: {error}\n\n", "[engine] the computation failed; ask again."),
        (cut, "The answer broke off. Is the server still running?"),
    ):
        tab.route(ANSWERS, sends(body))
        tab.get_by_role("button", name=re.compile("(Ask|Answer) again")).last.click()
        expect(alert).to_have_text(told)
        expect(tab.locator("article.assistant > .text")).to_have_text("so")
    tab.route(ANSWERS, lambda route: route.abort())
    ask(tab, "more")
    expect(alert).to_have_text("The server cannot be reached. Is it still running?")


def test_a_browser_without_room_is_told_of(tab: Page) -> None:
    """And entries that are not of this page are left as they are."""
    entries = {"convergio.chat.a": "{", "convergio.chat.b": '{"messages": [{"role": 1}]}'}
    tab.evaluate("entries => Object.assign(localStorage, entries)", entries)
    tab.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    tab.route(ANSWERS, says("yes"))
    ask(tab, "go")
    finished(tab)
    assert [text.strip() for text in texts(tab)] == ["go", "yes"]
    expect(tab.get_by_role("alert")).to_contain_text("no room for this chat")
    tab.reload()
    expect(tab.get_by_label("Model")).to_have_value(GUIDE)
    expect(tab.locator("#list li")).to_have_count(0)
    assert tab.evaluate("({...localStorage})") == entries


def test_enter_sends_and_shift_enter_begins_a_line(tab: Page) -> None:
    tab.route(ANSWERS, says("yes"))
    box = tab.get_by_label("Message", exact=True)
    expect(box).to_be_focused()
    tab.keyboard.type("one")
    tab.keyboard.press("Shift+Enter")
    tab.keyboard.type("two")
    expect(box).to_have_value("one\ntwo")
    tab.keyboard.press("Enter")
    finished(tab)
    assert texts(tab)[0] == "one\ntwo"
    expect(box).to_be_focused()
    expect(box).to_have_value("")
    tab.keyboard.press("Enter")  # nothing is sent where nothing is written
    expect(tab.locator("article")).to_have_count(2)
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    reached = set()
    for _ in range(12):
        tab.keyboard.press("Shift+Tab")
        name = tab.evaluate("document.activeElement.id || document.activeElement.tagName")
        reached.add(name)
        assert name == "BODY" or tab.evaluate(outline) == "solid", name
    assert {"model", "new", "SUMMARY"} <= reached


def test_it_fits_narrow_windows(tab: Page) -> None:
    tab.set_viewport_size({"width": 320, "height": 560})
    tab.route(ANSWERS, says(f"{MARKDOWN}\n{'x' * 400}\n```\n{'y' * 400}\n```"))
    ask(tab, "z" * 300)
    finished(tab)
    toggle = tab.get_by_role("button", name="Chats")
    new = tab.get_by_role("button", name="New chat")
    expect(new).to_be_hidden()
    toggle.click()
    expect(new).to_be_focused()
    widest = "document.documentElement.scrollWidth"
    assert tab.evaluate(widest) == 320
    tab.keyboard.press("Escape")
    expect(new).to_be_hidden()
    expect(toggle).to_be_focused()
    assert tab.evaluate(widest) == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_axe_finds_nothing(tab: Page, scheme: Any, width: int) -> None:
    tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    tab.set_viewport_size({"width": width, "height": 700})
    call = {"id": "call_1", "function": {"name": "find", "arguments": "{}"}}
    deltas = {"reasoning_content": "hm"}, {"content": MARKDOWN}, {"tool_calls": [call]}
    tab.route(ANSWERS, scripted(*deltas, finish="length"))
    ask(tab, "go")
    finished(tab)
    tab.locator("#options summary").click()
    tab.locator(".reasoning summary").click()
    tab.get_by_role("button", name="Edit").click()
    if width == 320:
        tab.get_by_role("button", name="Chats").click()
    tab.evaluate("document.getElementById('error').textContent = 'An error.'")
    transition = "getComputedStyle(document.getElementById('send')).transitionDuration"
    assert tab.evaluate(transition) == "0s"
    found = Axe().run(tab).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
