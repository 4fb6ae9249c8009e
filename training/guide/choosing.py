# ruff: noqa: E501 (templates are data, one a line)
"""Which model for so much memory or a purpose, whether one fits, and one against another."""

from __future__ import annotations

import random

from .facts import LARGEST, MODELS, SMALLEST, advice
from .grammar import expand, pick
from .noise import noise
from .one_model import slots
from .words import QA, glued

FITS = (
    "(can|could|will|would) (i|my {mach}) (run|use|load|handle|start) {m} (on|with|in) (a|an|my|) {n} {gb} {mach}",
    "(does|will|would|can) {m} (run|work|fit|be usable|go|perform) (on|with|in|into) {n} {gb}",
    "(is|are) {n} {gb} (enough|sufficient|ok|okay|too little|adequate|plenty) (for|to run|to use|to load) {m}",
    "i have {n} {gb}, (can i run|does|will|could i use|is that enough for|is it ok for) {m} (work|fit|run|)",
    "my {mach} has {n} {gb}, (can i run|will it run|can it run|is that enough for|what about|does it handle|can it handle) {m}",
    "(can|could|would|will) {m} (live|be happy|get by|manage|do|cope|survive|be fine|make do) (with|on|in|within) {n} {gb}",
    "(can|could|would|will) {m} (be happy|run well|work well|do well|behave) on (a|my|an) {n} {gb} {mach}",
    "is a {n} {gb} {mach} (enough|ok|strong enough|good enough|sufficient) for {m}",
    "{m} (on|with|in) {n} {gb}",
    "{m} (with|on) (a|my) {n} {gb} {mach}",
    "(would|could|can|will) (a|an|my) {n} {gb} {mach} (run|handle|manage|support|cope with|be able to run|be enough for) {m}",
    "(can|could) (i|you|one) (fit|get|put|run) {m} (in|into|within) {n} {gb}",
    "my {mach} has {n} {gb}. (will|does|can|would|is) {m} (work|run|fit|go|do|be ok) (on it|there|here|in that|with that|)",
    "(i have|i've got|there are|we have|i own a {mach} with|it has) {n} {gb} (and want|, i want|and i'd like) to (run|use|try|load) {m}, (ok|possible|does it fit|will it work|enough)",
    "(with|given|having|on) (only|just|) {n} {gb}, (can i (use|run|load)|is it possible to run|do i get to run|will it run) {m}",
    "{n} {gb} (for|and) {m} (ok|enough|possible|sufficient)",
    "(a|my|this) {chip} (with|and) {n} {gb}: (can it run|does it run|enough for|is it ok for) {m}",
)
MEMORY_ADVICE = (
    "(what|which) (model|one|models|of them) (should|can|could|do|would) (i|you|we) (use|run|take|pick|choose|download|recommend|get|suggest|install) (with|for|on|in) {n} {gb}",
    "i have (only|just|about|) {n} {gb} (, what (can|should) i (run|use|take|get)|, which model|. what do you recommend|. which one fits|)",
    "my {mach} has (only|) {n} {gb} (, which model|, what should i use|. what fits|, what do you suggest|, what's best|)",
    "(best|good|right|suitable|recommended|ideal) (model|choice|option|one|pick) (for|with|on|in) (a|my|an|) {n} {gb} ({mach}|)",
    "what (fits|runs|works|will run|can run|is possible|would fit) (in|on|with|into) {n} {gb}",
    "{n} {gb} (model|models|which model|ram which model|recommendation|)",
    "(recommend|suggest|propose|find) (me|) (a|some|the best|) (model|something|models) (for|with) {n} {gb}",
    "which models (fit|run|work|are possible|are ok) (in|on|with) {n} {gb}",
    "(a|my) (small|big|new|old|cheap|) {mach} (with|of) {n} {gb}, (which|what) (model|one|should i take|fits)",
    "i (own|use|got|bought|work on) a {mach} with {n} {gb} (, what (should|can) i (get|take|install|use)|, any advice|, which model suits me|)",
    "(any|some) (suggestion|advice|recommendation|idea|tip) for {n} {gb}",
    "there (is|are) (only|just|) {n} {gb} (in|inside|available on) my {mach} (, what now|, what fits|)",
    "what (makes sense|is reasonable|is sensible|do you advise) (with|for|on) {n} {gb}",
    "(i have|i've got|i own|we use|i bought|my wife has|at work i have|at home there is|this is) (a|an) {chip} with {n} {gb}, (which|what) (model|one|should i take|fits|do you advise|can i run|is best|runs well)",
    "(on|for|with) (a|my|an) {n} {gb} {chip}, (what|which model) (should i (take|run|get|install)|fits|do you recommend|is best|would you choose)",
    "(a|my) {chip}, {n} {gb} (: what fits|, which model|, what do you recommend|; any advice|: recommendation)",
    "(there's|i've|i've got|we've got|i have|got) (just|only|a mere|no more than|at most|exactly|) {n} {gb} (here|, what now|, ideas|, what fits|, any model|, what is possible|, help me choose)",
    "{n} {gb} (is all i have|is what i have|only|is my limit|is all there is)",
    "(sensible|reasonable|good|nice|fitting) (choice|model|option|pick|download) (with|for|given) {n} {gb}",
)
PURPOSES: dict[str, str] = {
    "code": "(coding|programming|code|writing code|software development|developers|code generation|writing software|python programming|writing programs|debugging|a programmer|a developer|writing scripts|web development|code completion|programmers)",
    "reasoning": "(reasoning|thinking|maths|math problems|logic|hard problems|puzzles|step by step reasoning|complex questions|logical thinking|difficult questions|deep thinking|analysis|hard maths|proofs)",
    "languages": "(other languages|multilingual use|several languages|italian|french|german|spanish|translations|languages other than english|multilingual chats|many languages|portuguese|non-english text|writing in german|speaking italian)",
    "fast": "(speed|quick answers|a fast reply|low latency|an old computer|a weak machine|little memory|being fast|an old laptop|fast responses)",
    "general": "(general use|everyday use|best quality|general questions|chatting|high quality|writing|everything|daily work|general chat|quality|the best answers|emails and texts|all purposes|office work|good answers)",
}
PURPOSE_QUESTIONS = (
    "(what|which) (model|one|model of yours|of the models) (is|are) (best|good|right|ideal|recommended|suitable|great|strongest|made|the best) (for|at|in) {p}",
    "(best|good|recommended|right|suitable|top|great) (model|one|choice|option) (for|at) {p}",
    "(what|which) (model|one) (should|would|can|do) (i|you) (use|take|choose|recommend|pick|advise|suggest|get|download) for {p}",
    "i (want|need|am looking for|would like|look for|am searching for) (a|something|some|one|the best) (model|) for {p}",
    "(recommend|suggest|propose) (me|) (a model|something|one) for {p}",
    "model for {p}",
    "i (mostly|mainly|only|often|) (need|want|do|care about|work on|use it for) {p} (, which model|, what should i take|, what do you recommend|, what do you advise|, which one)",
    "(is there|do you have|got) (a|any) (model|one) for {p}",
    "who is best at {p}",
    "which of (them|these|those) is (best|good|strongest|made) (for|at) {p}",
    "i want (help|support|assistance) with {p} (, which model|. which model|, what should i download|)",
    "{p}: which model (is right|should i use|)",
)
LANGUAGE = "(french|german|italian|spanish|portuguese|dutch|polish|swedish|greek|turkish|russian|japanese|chinese|korean|arabic|hindi|danish|czech|finnish|catalan)"
EXTRA: dict[str, tuple[str, ...]] = {
    "code": (
        "i (want|would like|'d love|like) to (code|program|write code|develop|hack) (in (python|java|c|rust|go|javascript)|) (with an ai|with a model|with help|)",
        "which model (writes|generates|produces|understands) (code|programs|software) (best|well|)",
        "(coding|code|programming|coder) model",
        "i('m| am) a (programmer|developer|software engineer|coder) (, which model|. what should i use|. what do you advise|)",
        "(which|what) model (helps|can help) me (program|code|write software|develop|debug)",
        "i want to (write|develop|build|create) (software|programs|code|apps) (with help of a model|), which model",
        "(i|we|my team) (program|code|develop|write (python|java|rust|javascript|c++|software|scripts)|build apps|hack) (all day|a lot|for a living|every day|) (, which model|, what do you recommend|, what fits|. which one)",
        "(something|a model|one|anything) (that|which) (codes|programs|writes code|knows python|debugs|helps me program)",
    ),
    "reasoning": (
        "which model (thinks|reasons) (best|hardest|most|longest|well)",
        "(which|what) (is|are) the (best|strongest|) reasoning (model|models)",
        "reasoning model",
        "(which|what) model can (solve|do) (maths|math|logic|hard problems|puzzles)",
        "(which|what) one (is|would be) (best|strongest|smartest) (at|in|when it comes to) (thinking|logic|reasoning|thinking things through)",
    ),
    "languages": (
        "which model (speaks|knows|understands|writes) (italian|french|german|spanish|other languages|several languages|many languages|more than english|portuguese)",
        "(multilingual|many languages) model",
        "is there a multilingual model",
        "(what|which) (model|one|) (do you offer|do you have|is there|would you take|suits|is best) for (french|german|italian|spanish|portuguese|foreign|non-english) (speakers|users|people|texts|readers)",
        "i (speak|write|work|need answers|need it|chat) in (italian|german|french|spanish|portuguese|several languages|german and italian) (, which model|, what do you recommend|, what should i take|)",
        f"(i|we|my users|my customers|my team|my students) (write|speak|chat|talk|read|work|ask) (mostly|mainly|only|often|also|) (in|) {LANGUAGE} (and {LANGUAGE}|and sometimes {LANGUAGE}|) (, which model|, what do you recommend|, what should i take|, what fits|)",
        f"(it|the model|answers|the replies|texts) (should|must|has to|have to|ought to) (be in|speak|understand|know|handle|come in) {LANGUAGE} (and {LANGUAGE}|or {LANGUAGE}|) (, which model|, which one|, what do you suggest|)",
        f"(something|a model|anything|one|the model) (that|which) (speaks|understands|knows|writes|handles) {LANGUAGE} (and {LANGUAGE}|or {LANGUAGE}|)",
        f"(which|what) (model|one) (is good|does well|should i use|helps|do you advise|works) (with|for|in) {LANGUAGE} (and {LANGUAGE}|texts|conversations|)",
    ),
    "fast": (
        "(what|which) (model|one|) is (the|) (fastest|quickest|lightest|smallest|tiniest|most lightweight)",
        "(fastest|smallest|lightest|quickest|tiniest) model",
        "(which|what) (model|one) (answers|responds|runs) (fastest|the fastest|most quickly)",
        "i (want|need) (a small|a tiny|a quick|a fast|the smallest|the fastest|a light) (model|one)",
        "what is the (least demanding|smallest|lightest|littlest) (model|one|thing|option) (i can download|you have|there is|available|)",
        "(speed|being quick|low latency|fast answers) (is|are) (most important|what matters|all i want) (to me|), (which model|what should i use)",
        "the (quickest|fastest|smallest) of (all|them|your models)",
        "(speed|latency|quickness|response time) (matters|counts|is key|is important|is everything|is my priority|comes first|is what i want|is all that counts) (most|to me|for me|here|)",
        "(i|we) (value|prefer|favour|look for|am after|prioritize|only want|like) (speed|quickness|low latency|fast replies|quick responses) (only|first|over quality|above everything|)",
        "(what|which) (is|would be) the (smallest|tiniest|lightest|littlest|most compact|least heavy) (model|llm|download|one|file) (there is|i can get|to fetch|you offer|of all|on the list|available|at all)",
        "(smallest|tiniest|lightest|littlest|minimal) (possible|) (download|model|footprint|option|one)",
        "(it|the model|answers) (should|must|has to) (be quick|be fast|come quickly|be snappy|not take long) (, which model|, which one|, what do you recommend|)",
    ),
    "general": (
        "(what|which) (model|one|) is (the|) best",
        "best model",
        "(which|what) model (do you recommend|should i use|should i start with|should i take|should i download|is the most recommended|would you choose)",
        "recommend (me|) a model",
        "(which|what) (one|model) has the (best|highest|top) quality",
        "(which|what) (model|one) (gives|has|produces|writes) the best (answers|quality|texts|replies|results)",
        "what should i (download|install|use|try) (first|)",
        "what is a good (first|) model",
        "(quality|good answers|the best text) (matters|counts|is key|is everything|is my priority|comes first) (most|to me|for me|here|)",
        "(which|what) (of them|of these|of those|of your models|one|model) (answers|writes|performs|is) (best|the best|most accurately|at the top|better than all others)",
    ),
}
BIGGEST = (
    "(what|which) (model|one|) is (the|) (biggest|largest|heaviest|most powerful)",
    "(biggest|largest|heaviest) (model|one) (you have|there is|available|)",
    "which model has the most parameters",
    "which is the (largest|biggest) (of all|of them|you offer)",
    "what is the (largest|biggest|heaviest) model (i can get|you have|on offer|of all)",
    "which model needs the most memory",
    "(what|which) (model|one|) (is|would be) the (biggest|largest|heaviest|most massive|greatest) (of all|you have|there is|on the list|available|one|download)",
    "(largest|biggest|heaviest|greatest) (model|download|one|option) (of all|you offer|of the list|on offer|there is|)",
)
MEMORIES = (
    1,
    2,
    3,
    4,
    4,
    4,
    5,
    6,
    6,
    6,
    7,
    8,
    8,
    8,
    8,
    10,
    12,
    14,
    16,
    16,
    16,
    18,
    20,
    24,
    32,
    36,
    48,
    64,
    96,
    128,
)


def fits(rng: random.Random) -> QA:
    """Does a model run in so much memory."""
    m = rng.choice(MODELS)
    n = rng.choice(MEMORIES)
    question = pick(rng, glued(rng, FITS), slots(rng, m=rng.choice(m.names), n=str(n)))
    if m.memory_gb <= n:
        answer = f"Yes: {m.id} needs {m.memory_gb} GB of memory and you have {n} GB."
    else:
        other = advice(n, "reasoning" if m.reasoning else "general")
        answer = f"No: {m.id} needs {m.memory_gb} GB of memory and you have {n} GB."
        answer += f" Try {other.id}." if other else " No model fits; the smallest need 4 GB."
    return QA(noise(rng, question.replace("gb gb", "gb")), answer, m.id)


def nothing_fits(memory_gb: int) -> str:
    """The answer where even the smallest needs more."""
    return f"With {memory_gb} GB no model of the list fits: even the smallest, such as llama-3.2-1b, need 4 GB."


def memory_advice(rng: random.Random) -> QA:
    """What to take for a machine's memory."""
    n = rng.choice(MEMORIES)
    question = pick(rng, glued(rng, MEMORY_ADVICE), slots(rng, n=str(n)))
    best = advice(n, "general")
    if best is None:
        return QA(
            noise(rng, question),
            nothing_fits(n),
        )
    others = {"code": "for code", "reasoning": "for reasoning"}
    parts = [f"With {n} GB take {best.id}"]
    parts += [f"{why} {found.id}" for p, why in others.items() if (found := advice(n, p))]
    return QA(
        noise(rng, question),
        f"{', '.join(parts)}. Download: `convergio-mlx models download {best.id}`.",
        best.id,
    )


WHY = {
    "code": "For code take {id}",
    "reasoning": "For reasoning take {id}",
    "languages": "For several languages take {id}, a multilingual one",
    "fast": "For speed take {id}",
    "general": "For the best quality take {id}",
}


def purpose_advice(rng: random.Random) -> QA:
    """What to take for a purpose, with or without a memory limit."""
    purpose = rng.choice(list(PURPOSES))
    limit = rng.choice(MEMORIES) if rng.random() < 0.3 else None
    templates = EXTRA[purpose] if rng.random() < 0.45 else PURPOSE_QUESTIONS
    question = pick(rng, [t.replace("{p}", PURPOSES[purpose]) for t in templates])
    if limit is not None:
        question += " " + expand(
            rng,
            "(with|for|in|on|that fits in|that runs in|, i have|on a machine with|using at most|for a mac with) {n} {gb}",
            slots(rng, n=str(limit)),
        )
    question = question.replace(" ,", ",")
    found = advice(limit if limit is not None else 1000, purpose)
    if found is None:
        return QA(
            noise(rng, question),
            nothing_fits(limit or 0),
        )
    answer = WHY[purpose].format(id=found.id)
    if purpose == "reasoning" and limit is None:
        answer += " if you have 16 GB, or deepseek-r1-7b with 8 GB, or deepseek-r1-1.5b with 4 GB."
    else:
        answer += f": {found.a_size} download that needs {found.memory_gb} GB of memory."
    if purpose == "fast":
        answer += f" The smallest is {SMALLEST.id} with {SMALLEST.size}."
    return QA(noise(rng, question), answer, found.id)


def biggest(rng: random.Random) -> QA:
    """The largest model, and the largest of those that the guide knows well."""
    m = max(MODELS, key=lambda x: x.parameters)
    return QA(
        noise(rng, pick(rng, BIGGEST)),
        f"The largest is {LARGEST.id}: {LARGEST.a_size} download that needs {LARGEST.memory_gb} GB of memory. With {m.memory_gb} GB take {m.id}.",
    )


COMPARE = (
    "{a} or {b}",
    "{a} (vs|versus|against|or|compared to|compared with) {b} (, which is better|, which one|, which should i take|)",
    "(compare|comparison of) {a} (and|with|to) {b}",
    "(what is|what's) the difference between {a} and {b}",
    "(which is better|which one is better|what is better|which should i choose|which do you prefer|what should i take), {a} or {b}",
    "should i (take|use|pick|download|choose) {a} or {b}",
    "(which|what) is (stronger|more powerful|smarter|smaller|faster|lighter|bigger), {a} or {b}",
    "is {a} (better|faster|bigger|smaller|lighter) than {b}",
)


def compare(rng: random.Random) -> QA:
    """Two models side by side."""
    a, b = rng.sample(MODELS, 2)
    question = pick(rng, COMPARE, {"a": rng.choice(a.names), "b": rng.choice(b.names)})
    lines = [f"{m.id}: {m.use}, {m.size}, needs {m.memory_gb} GB of memory." for m in (a, b)]
    return QA(noise(rng, question), " ".join(lines))
