"""What drafted tokens give: tokens a second with and without them, on answers of several kinds.

    python bench/speculation.py [--model MODEL] [--draft-model MODEL] [--kinds copy edit …]
        [--temperature 0] [--tokens 200] [--rounds 5] [--together 1] [--json FILE]

Each round asks every question with and without speculation, in turn; a figure is
the median over rounds of tokens a second after the first one, all questions of a kind together.
`--together N` asks N times each at once. That texts are equal is checked.
"""

from __future__ import annotations

import argparse
import json
import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import convergio_mlx as cm
from comparison.crowd import Crowd

CODE = '''class Account:
    """An account of a bank."""

    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance
        self.history = []

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("the amount must be positive")
        self.balance += amount
        self.history.append(("deposit", amount))

    def withdraw(self, amount):
        if amount <= 0:
            raise ValueError("the amount must be positive")
        if amount > self.balance:
            raise ValueError("there is not so much in the account")
        self.balance -= amount
        self.history.append(("withdraw", amount))
'''
LETTER = """Dear Mrs Walker,

thank you for your order of 12 March 2024. We have shipped two oak shelves, a desk lamp with a brass
stand and six linen cushions to your address at 14 Orchard Lane, Bristol. The parcel should arrive
within five working days. The lamp is sold without a bulb; it takes any bulb with an E27 base of at
most 40 watts. The shelves hold up to 25 kilograms each if they are fixed to a solid wall. The
invoice over 482.50 pounds is enclosed; please pay it within 30 days.

Yours sincerely,
Daniel Hughes, Hughes & Daughters Furniture"""
REPORT = """The town council met on Tuesday to discuss the old harbour. The mayor said that the
harbour wall would have to be repaired before the winter storms, and that the work would cost
about two million euros. Several fishermen said that they could not use the northern quay since
the spring, because its edge had broken away in two places. An engineer told the council that the
wall was built in 1911 and that its foundations were still sound. The council decided to ask three
companies for offers, to close the northern quay until the end of the work, and to meet again in
October. The owner of the harbour cafe asked for the work to begin after the summer season; the
mayor said that she would try to arrange it."""
ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "customer": {"type": "string"},
        "order_date": {"type": "string"},
        "delivery_address": {"type": "string"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "product_name": {"type": "string"},
                    "quantity": {"type": "integer"},
                },
                "required": ["product_name", "quantity"],
            },
            "maxItems": 4,
        },
        "invoice_total": {"type": "number"},
        "signed_by": {"type": "string"},
    },
    "required": [
        "customer",
        "order_date",
        "delivery_address",
        "items",
        "invoice_total",
        "signed_by",
    ],
}


RENAMED = CODE.replace("amount", "money")
"""A file before it is edited as another was."""


@dataclass(frozen=True)
class Question:
    """What a user asks, and the schema of the answer where it has one; or a text to continue."""

    text: str
    schema: dict[str, Any] | None = None
    continues: bool = False


def again(first: str, second: str, begin: str) -> Question:
    """Two texts, and the beginning of a third that goes on like the second: even a small model
    does."""
    return Question(f"{first}\n\n###\n\n{second}\n\n###\n\n{begin}", continues=True)


def file_again(files: dict[str, str]) -> Question:
    """Files by their headings, and the heading of another copy of the first."""
    text = "".join(f"{name}:\n```python\n{code}```\n" for name, code in files.items())
    return Question(f"{text}After:\n```python\nclass Account", continues=True)


KINDS: dict[str, list[Question]] = {
    "copy": [
        file_again({"File": CODE, "After": CODE}),
        again(LETTER, LETTER, "Dear Mrs Walker,"),
    ],
    "edit": [
        file_again({"Before": CODE, "After": CODE, " Before": RENAMED}),
        again(LETTER, LETTER.replace("Walker", "Baker").replace("oak", "pine"), "Dear Mr Smith,"),
    ],
    "json": [Question(f"Extract the order from this letter.\n\n{LETTER}", ORDER)],
    "quotes": [
        Question(f"List the most important sentences of this report as quotes.\n\n{REPORT}"),
    ],
    "prose": [
        Question("Write a story about a lighthouse keeper and a whale."),
        Question("Explain to a child why the sky is blue and why sunsets are red."),
    ],
}


def answer(engine: cm.Engine, question: Question, params: cm.SamplingParams) -> tuple[str, Any]:
    """Its text and statistics."""
    if question.continues:
        generation = engine.generate(question.text, params)
        return generation.text(), generation.stats
    form = question.schema and {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": question.schema},
    }
    messages = [{"role": "user", "content": question.text}]
    response = engine.stream(messages, params, response_format=form).response()
    return response.text, response.stats


def answers(
    engine: cm.Engine, questions: list[Question], together: int, params: cm.SamplingParams
) -> tuple[list[str], float, list[Any]]:
    """Texts, tokens a second and the statistics of each."""
    texts, stats = [], []
    count, seconds = 0, 0.0
    for question in questions:
        with ThreadPoolExecutor(together) as pool:
            asked = [pool.submit(answer, engine, question, params) for _ in range(together)]
            found = [one.result() for one in asked]
        texts += [text for text, _ in found]
        stats += [taken for _, taken in found]
        count += sum(taken.output_tokens - 1 for _, taken in found)
        seconds += max(taken.decode_seconds for _, taken in found)
    return texts, count / seconds, stats


def main() -> None:
    """Prints the medians of each kind with and without, and what was drafted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--draft-model", help="a smaller one that drafts for it")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--tokens", type=int, default=200, help="of each answer, at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--together", type=int, default=1, help="requests at once")
    parser.add_argument("--json", type=Path, help="also writes every sample there")
    args = parser.parse_args()
    found: dict[str, dict[bool, list[float]]] = {}
    params = cm.SamplingParams(temperature=args.temperature, max_tokens=args.tokens, seed=1)
    drafting = f" with {args.draft_model}" if args.draft_model else ""
    print(f"{args.model}{drafting}, {args.together} together, {args.rounds} rounds")
    print(f"{'':8} {'without':>8} {'with':>8} {'ratio':>6} {'drafted':>8} {'came':>6}  of a token")
    with cm.Engine.load(args.model, draft_model=args.draft_model) as engine, Crowd() as crowd:
        for kind in args.kinds:
            rates: dict[bool, list[float]] = {False: [], True: []}
            for turn in range(args.rounds + 1):
                texts = {}
                for speculate in (False, True) if turn % 2 else (True, False):
                    texts[speculate], rate, stats = answers(
                        engine,
                        KINDS[kind],
                        args.together,
                        replace(params, speculate=speculate),
                    )
                    if turn:  # the first fills the prefix cache
                        rates[speculate].append(rate)
                    if speculate:
                        output, drafted, came = (
                            sum(getattr(one, f"{name}_tokens") for one in stats)
                            for name in ("output", "drafted", "accepted")
                        )
                assert texts[True] == texts[False], kind
            without, with_them = (statistics.median(rates[one]) for one in (False, True))
            print(
                f"{kind:8} {without:8.1f} {with_them:8.1f} {with_them / without:6.2f} "
                f"{drafted / output:8.2f} {came / output:6.2f}"
            )
            found[kind] = rates
    if crowd.share is not None:
        print(f"other processes took {crowd.share:.0%} of the machine")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
