# ruff: noqa: E501 (templates are data, one a line)
"""How people type: politeness, other words for the same, typos, case and punctuation."""

from __future__ import annotations

import random
import re

from .grammar import KEEP_CLOSE, KEEP_OPEN, expand, invented_word, plain

_KEPT = re.compile(f"({KEEP_OPEN}.*?{KEEP_CLOSE})")

PREFIXES = (
    "please",
    "hey,",
    "hi,",
    "hello,",
    "hello!",
    "quick question:",
    "question:",
    "ok,",
    "so,",
    "and",
    "now",
    "well,",
    "sorry,",
    "excuse me,",
    "one thing:",
    "could you tell me",
    "can you tell me",
    "tell me,",
    "i want to know",
    "i was wondering,",
    "do you know",
    "just curious,",
    "maybe you know:",
    "i'm new here.",
    "help me:",
    "by the way,",
    "alright,",
    "one more question:",
    "i have a question.",
)
SUFFIXES = (
    "please",
    "pls",
    "thanks",
    "thank you",
    "for me",
    "then",
    "exactly",
    "by the way",
    "now",
    "actually",
    "again",
    "today",
    "here",
    "my friend",
    "if you know",
)
FILLERS = (
    "really",
    "just",
    "actually",
    "maybe",
    "simply",
    "basically",
    "perhaps",
    "quickly",
    "now",
    "kind of",
    "exactly",
    "usually",
    "normally",
    "possibly",
    "in fact",
    "honestly",
    "somehow",
    "still",
    "also",
    "even",
)
_SMALL = frozenset(
    "a,an,the,is,are,do,does,did,i,you,it,to,of,in,on,for,my,me,can,could".split(",")  # noqa: SIM905
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

LEAD_INS = (
    "(my|our) (boss|friend|teacher|son|daughter|colleague|neighbour|team|brother|client) (asks|wants to know|is curious|asked me|would like to hear):",
    "(before i|while we|when i) (start|go on|continue|decide|talk|finish),",
    "for (work|school|a project|my thesis|a demo|a client|my blog|a report|later|my notes),",
    "i am (writing a report|preparing a demo|at work|reading the docs|a bit confused|not an expert|in a hurry|curious|still unsure|no expert here).",
    "let me ask (you|) (something|one thing|this|):",
    "(since|now that) (we are here|you are here|i'm at it|you ask|i have time),",
    "if you (don't mind|have a second|can|may|know it),",
    "in (short|brief|a few words|one sentence|plain words|general):",
    "(serious|stupid|silly|dumb|simple|basic|short|small|last|next|first|newbie) question:",
    "(once more|no hurry|just a thought|to be clear|for the record|not sure|hm|hmm|oh|look|listen|right|anyway|good|great|fine|nice):",
    "(i read|i heard|somebody said|they say|a friend told me) (about this|something|about it) (online|yesterday|on the train|at work|).",
)  # fmt: skip
TAILS = (
    ", (any idea|do you know|right|or not|or what|huh|if possible|if that's ok|in short|briefly|in a few words|asap|thx|my dear|tell me|what do you say|quick|dear guide|is that so|you know)",
    "(at all|these days|in practice|in the end|in general|so far|right now|on my side|for a beginner|in plain words|if i may ask|in my case|after all|over here|at the moment|as of today)",
)  # fmt: skip
SAME = {
    word: others
    for group in (
        "computer machine laptop pc notebook device desktop box workstation",
        "show display print present reveal",
        "delete remove uninstall erase discard scrap bin toss purge wipe dump",
        "download fetch pull grab retrieve obtain",
        "needed required necessary essential mandatory compulsory obligatory indispensable",
        "need require",
        "good decent nice solid great fine",
        "best ideal top optimal finest",
        "big large huge sizable massive",
        "small little tiny compact",
        "smallest tiniest lightest littlest",
        "biggest largest heaviest hugest",
        "fastest quickest speediest snappiest",
        "fast quick speedy snappy rapid swift",
        "slow sluggish laggy",
        "answer reply response",
        "answers replies responses",
        "folder directory",
        "disk drive ssd harddisk",
        "broken damaged corrupt faulty busted defective",
        "problem issue trouble difficulty",
        "private confidential secret personal",
        "internet network web wifi",
        "use employ utilize",
        "recommend suggest advise propose",
        "work function operate",
        "supported possible allowed okay",
        "explain describe clarify",
        "memory ram",
        "want wish",
        "chatting talking speaking conversing",
        "talk speak chat",
        "see view read inspect",
        "sent transmitted uploaded transferred",
        "stored kept saved placed",
        "clever smart intelligent bright",
        "bad poor terrible awful lousy",
        "options choices alternatives possibilities",
        "license licence",
        "repository repo",
        "begin start",
        "coding programming",
        "models llms",
        "human person",
        "old ancient aged",
        "stopped failed aborted quit broke",
        "strongest mightiest",
    )
    for word in group.split()
    if (others := group.split())
}
"""Words of like meaning, by each of them."""


def _other_words(rng: random.Random, text: str) -> str:
    """`text` with some words replaced by others of like meaning; commands stay as they are."""
    if "convergio" in text:
        return text
    words = text.split(" ")
    for i, word in enumerate(words):
        if word in SAME and rng.random() < 0.25:
            words[i] = rng.choice(SAME[word])
    return " ".join(words)


def _framed(rng: random.Random, text: str) -> str:
    """`text` after or before words that ask nothing."""
    roll = rng.random()
    if roll < 0.12:
        text = f"{rng.choice(PREFIXES)} {text}"
    elif roll < 0.18:
        text = f"{expand(rng, rng.choice(LEAD_INS))} {text}"
    roll = rng.random()
    if roll < 0.07:
        text = f"{text} {rng.choice(SUFFIXES)}"
    elif roll < 0.11:
        text = f"{text} {expand(rng, rng.choice(TAILS))}".replace(" ,", ",")
    return text


def _typo(rng: random.Random, word: str) -> str:
    at = rng.randrange(len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    return word[:at] + rng.choice(_LETTERS) + word[at + 1 :]


def _noisy_words(rng: random.Random, text: str, level: float) -> str:
    out: list[str] = []
    for word in text.split(" "):
        if word.lower() in _SMALL and rng.random() < level * 1.2:
            continue
        chance = rng.random() / level
        if chance < 0.6 and len(word) > 4 and word.isalpha():
            word = _typo(rng, word)  # noqa: PLW2901
        elif 0.6 <= chance < 0.9 and word.isalpha() and text.count(" ") > 3:
            word = invented_word(rng)  # noqa: PLW2901 (a rare word must not decide alone)
        out.append(word)
        if word and rng.random() < level * 0.4:
            out.append(rng.choice(FILLERS))
    return " ".join(out)


def _ending(rng: random.Random, text: str) -> str:
    end = rng.random()
    if text and text[-1] in "?.!":
        return text[:-1] if end < 0.12 else text
    for limit, mark in ((0.42, "?"), (0.54, "."), (0.57, "!")):
        if text and end < limit:
            return text + mark
    return text


def _cased(text: str, case: float) -> str:
    if case < 0.3:
        return text.lower()
    return text.upper() if case > 0.985 else text


def noise(rng: random.Random, text: str) -> str:
    """A person's way of typing `text`: politeness, typos, case and punctuation of all kinds."""
    text = _framed(rng, text)
    level = rng.choice((0.0, 0.0, 0.03, 0.06, 0.12))
    parts = _KEPT.split(text)
    case = rng.random()
    for i, part in enumerate(parts):
        if not part.startswith(KEEP_OPEN):
            worded = _other_words(rng, part)
            parts[i] = _cased(_noisy_words(rng, worded, level) if level else worded, case)
    text = re.sub(r"\s+", " ", plain("".join(parts))).strip()
    if case > 0.5 and text[:1].islower():
        text = text[0].upper() + text[1:]
    text = _ending(rng, text)
    if rng.random() < 0.1:
        text = text.replace("'", "")
    return text or "?"
