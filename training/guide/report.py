"""The trained model's held-out results, perplexity and golden answers, computed with torch."""

from __future__ import annotations

import json
from typing import Any

import torch

from .judge import HELD_OUT, SETS, Item, evaluate, load_items, table
from .network import Guide
from .text import END_OF_TEXT, TURN_END, renderer

MARGIN = 0.1  # golden tokens lead the second by this in every logit, so that rounding cannot matter


class Answers:
    """Greedy answers of a model."""

    def __init__(self, model: Guide, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.render = renderer()
        self.stop = frozenset(tokenizer.token_to_id(t) for t in (TURN_END, END_OF_TEXT))

    def tokens(self, item: Item) -> tuple[list[int], float]:
        """The answer's tokens and the least lead of a first choice over the second."""
        prompt = self.render(item["messages"], item["tools"], add_generation_prompt=True)
        return self.model.greedy(self.tokenizer.encode(prompt).ids, self.stop)

    def text(self, item: Item) -> str:
        """The answer."""
        return str(self.tokenizer.decode(self.tokens(item)[0], skip_special_tokens=True))


@torch.inference_mode()
def perplexity(model: Guide, tokenizer: Any) -> tuple[int, float]:
    """Tokens of perplexity.txt, and exp of their mean cross-entropy (after the first)."""
    ids = tokenizer.encode((HELD_OUT / "perplexity.txt").read_text("utf-8")).ids
    logits = model(torch.tensor([ids]))[0, :-1]
    return len(ids), float(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:])).exp())


def report(model: Guide, tokenizer: Any, label: str, show_wrong: bool) -> None:
    """Print the held-out results and the perplexity of the fixed text."""
    answers = Answers(model.eval(), tokenizer)
    for name in SETS:
        by_topic, wrong = evaluate(load_items(name), answers.text)
        print(f"-- {label}, {name}\n{table(by_topic)}", flush=True)
        for item, answer in wrong if show_wrong else ():
            print(f"[{item['topic']}] {item['messages'][-1]['content']} -> {answer}")
    count, value = perplexity(model, tokenizer)
    print(f"perplexity of {count} tokens: {value:.4f}", flush=True)


def write_golden(model: Guide, tokenizer: Any) -> None:
    """tests/guide/golden.json: clear-cut greedy answers, two a topic, and the perplexity."""
    answers = Answers(model.eval(), tokenizer)
    cases: list[Item] = []
    for item in load_items():
        ids, lead = answers.tokens(item)
        alike = sum(case["topic"] == item["topic"] for case in cases)
        if alike < 2 and lead >= MARGIN:
            kept = {k: item[k] for k in ("topic", "messages", "tools")}
            cases.append({**kept, "token_ids": ids, "text": tokenizer.decode(ids)})
    golden = {
        "stop_tokens": sorted(answers.stop),
        "perplexity": perplexity(model, tokenizer)[1],
        "answers": cases,
    }
    text = json.dumps(golden, ensure_ascii=False, indent=1)
    (HELD_OUT / "golden.json").write_text(text + "\n", "utf-8")
