# ruff: noqa: E501 (templates are data, one a line)
"""Questions about one model, and their answers."""

from __future__ import annotations

import random

from .facts import MODELS, OTHERS, Model
from .grammar import expand, pick
from .noise import noise
from .words import CHIP, GB, HOW, MACHINE, QA

PER_MODEL: dict[str, tuple[tuple[str, ...], str]] = {
    "memory": (
        (
            "(how much|how many GB of|how many gigs of|what amount of) (memory|ram|unified memory) (does|will|would|do) {m} (need|use|take|require|want|consume|eat)",
            "(memory|ram) (needed|required|necessary|need|requirement|requirements|use|usage|demand|footprint|consumption) (for|of|by) {m}",
            "{m}'s (memory need|ram need|appetite for memory|hunger for ram|memory requirement|memory use|ram use)",
            "{m} (memory|ram|memory need|memory requirement|ram usage|ram needed|memory use)",
            "what (does|will) {m} (need|require|take) (in|in terms of) (memory|ram)",
            "(what is|what's|tell me) the (minimum|necessary|required|) (memory|ram) (needed|) (for|to run|to use|of) {m}",
            "how much (memory|ram) (is needed|do i need|must i have|should i have|should my {mach} have|is required|is necessary) (for|to run|to use|to load|to start) {m}",
            "how (memory hungry|memory-hungry|demanding|heavy in memory) is {m}",
            "how much (memory|ram) (for|with) {m}",
            "how many (gb|gigabytes|gigs) of (memory|ram) (must|should|does) (my computer have for|i have for|i need for) {m}",
            "(minimum|min) (ram|memory) {m}",
            "what (sort|kind|amount) of (memory|ram) does {m} (expect|call for|need)",
        ),
        "{id} needs {memory} GB of memory.",
    ),
    "size": (
        (
            "how (big|large|heavy) is (the download of|the file of|) {m} ( on disk|)",
            "(what is|what's|tell me) the (size|download size|file size|disk size|weight) of {m}",
            "{m}'s (size|download size|weight|size on disk)",
            "how (many|much) (megabytes|gigabytes|MB|GB) (big|large|heavy|weighs) is {m}",
            "{m} (size|download size|file size|on disk|disk space|disk usage|how big|how large)",
            "how (much|many) (disk|disk space|space|storage|room|data|megabytes|MB|gigabytes|GB) (does|will|would|must|do i have to|do i need to) (i|) (download|fetch|use) (for|) {m} (take|need|use|occupy|)",
            "how much (disk space|storage|space|room|disk) (does|will) {m} (take|need|use|occupy|fill|eat|cost)",
            "(size|download size|disk space|storage) (of|for|needed for|used by) {m}",
            "how (big|large|long) (a|of a) download is {m}",
            "how many (megabytes|gigabytes|MB|GB|bytes) (is|are|has|does) {m} (have|)",
            "is {m} (big|large|a large file|a small download|huge|small on disk|heavy to download|a heavy download)",
            "(my|our) (internet|connection|line|network) is (slow|limited|bad), how (big|large) is {m}",
            "how much (data|traffic|bandwidth) (does|will) downloading {m} (use|take|need|cost)",
            "how long (does|will) (the download of {m}|downloading {m}|fetching {m}) take",
        ),
        "{id} is {a_size} download.",
    ),
    "info": (
        (
            "(what is|what's|whats) {m} (good for|best at|for|made for|used for|meant for|able to do|)",
            "(tell me|say something|talk|explain|inform me) (more|a bit|) about {m}",
            "(describe|explain|present|introduce|summarize) {m}",
            "(when|why) (should|would|do|might) (i|you|one|someone) (use|choose|pick|take|prefer) {m} (instead of the others|over the others|)",
            "(details|information|info|facts|specs|data|particulars) (about|on|of|for) {m}",
            "what (can|does) {m} (do|do well|offer)",
            "what (makes|is special about|is the point of|is the strength of|are the strengths of|is the advantage of|sets apart) {m} (special|)",
            "is {m} (good|any good|worth it|a good choice|fast|useful)",
            "{m}",
            "{m} (info|details|specs|use case|strengths|description)",
            "what (kind|sort|type) of model is {m}",
            "give me (some|a few|all the|) (details|information|info|facts) (about|on) {m}",
            "what do you know about {m}",
            "what is {m} (suited|suitable|intended|designed|ideal|recommended) for",
            "who (should|would) (use|want|pick) {m}",
            "(when|in which case|for what|in what situation|for which jobs) (is {m} (the right|a good|the better) (choice|pick|one)|(would|should|do|does|might) (i|one|you|somebody) (go for|need|want|reach for|choose|favour|decide for|turn to) {m}) (and not another|instead|)",
            "(why|what reason is there to) (take|pick|prefer|choose|go with|favour) {m} (and not another|rather than another|and not the others|at all|over others|)",
            "what does {m} do (best|better than others|better|particularly well)",
            "(purpose|strong points|strength|advantages|speciality|use) of {m}",
            "what (would|should|could) (i|one) use {m} for",
        ),
        "{id} ({name}): {use}. It is {a_size} download and needs {memory} GB of memory.",
    ),
    "context": (
        (
            "(what is|what's|tell me|how large is|how big is|how long is) the (context|context window|context length|context size|window) (of|for|in) {m}",
            "{m} (context|context window|context length|context size|max tokens|token limit|window)",
            "how (many tokens|much text|much context|long a prompt|long a text) (can|does|will) {m} (take|read|handle|accept|see|remember|support|hold|process)",
            "(maximum|max|largest|biggest|highest) (context|number of tokens|prompt length|context length|input|token count) (of|for|with) {m}",
            "how long can (the context|a prompt|the prompt|my text|the input|a conversation) (be|get|become) (for|with|in) {m}",
            "(maximum|max|largest|greatest) (number|amount|count) of tokens {m} can (take|process|accept|handle|hold)",
            "how many tokens (fit|go|can go) (in|into) {m}",
            "does {m} have a (long|large|big|small|short) context",
            "context (window|length|size|) {m}",
            "(highest|largest|max|maximal|maximum|upper) (token|tokens|context|prompt|input) (count|limit|size|length|number) (of|for|in|with) {m}",
            "(how many|what number of|up to how many) tokens (does|can|may|will) {m} (read|see|digest|swallow|cope with|deal with|take in|keep in mind|look at) (at once|at a time|at most|)",
            "(maximal|maximum|max|biggest|greatest|highest) (number|amount|count|sum) of (tokens|words|text) (that|which|) (goes into|fits|fits in|i can give|i can send to|i can feed) {m}",
            "(token|context) (limit|budget|maximum|capacity|ceiling) (of|for) {m}",
            "how (much text|many pages|many words|long a book|many lines) (can|does) {m} (read|take|hold|digest|keep) (at once|at a time|)",
        ),
        "The context window of {id} is {context} tokens.",
    ),
    "repository": (
        (
            "(what is|which is|what's|tell me) the (repository|repo|hugging face repository|source|hf repo|hub page|origin) (of|for|behind) {m}",
            "where (does|do|is) {m} (come from|downloaded from|hosted|published|fetched from)",
            "(which|what) (repository|repo|hugging face repo|hub repo) (has|contains|is|does|offers|provides|hosts|stores) {m} (come from|)",
            "{m} (repository|repo|hugging face|source|huggingface|origin|hub)",
            "from (where|which repository|which repo|which page) (is|do you download|do you get|does it fetch) {m} (downloaded|taken|)",
            "where (is|can i find) {m} on (hugging face|huggingface|the hub)",
            "where on (the hub|huggingface) (is|does) {m} (come from|live|)",
            "who (publishes|hosts|uploaded) {m}",
            "(which|what) (repository|repo|hugging face page|hub page|account|organization|place) (hosts|has|keeps|offers|stores|provides|contains|serves|publishes) (the|) (files|model files|data|safetensors|original|weights) (of|for) {m}",
            "(from|at) (which|what) (repo|repository|address|hub page) (do|does|are|can) (the files of {m}|{m}|the weights of {m}) (come|downloaded|found|get fetched|)",
            "(link|address|url|hub link|hugging face link|repo name|repository name) (of|for|to) {m}",
            "where do the (weights|files) of {m} come from",
        ),
        "{id} comes from {repository} on Hugging Face.",
    ),
    "licence": (
        (
            "(what is|which is|what's) the (licence|license|legal situation|terms of use) (of|for) {m}",
            "(what|which) (licence|license) (does {m} carry|comes with {m}|is on {m})",
            "{m} (licence|license|terms|terms of use)",
            "(what|which) (licence|license|terms) (does|has|is) {m} (have|use|under|come with|)",
            "(can|may) i use {m} (commercially|in a product|for work|at my company|for my business)",
            "under (what|which) (licence|license|conditions) is {m} (published|available|distributed|)",
            "is {m} (open source|freely licensed|free to use commercially)",
            "(licence|license) (of|for) {m}",
            "(what|which) (licence|license) (governs|applies to|is attached to|goes with) {m}",
            "under (what|which) (terms|rules) (can|may) i use {m}",
        ),
        "The licence of {id} is: {licence}.",
    ),
    "parameters": (
        (
            "how many (parameters|params|weights|billion parameters) (does|has) {m} (have|)",
            "(number of parameters|parameter count|params|number of weights) (of|for|in) {m}",
            "{m} (parameters|params|parameter count|number of parameters)",
            "what is the (parameter count|number of parameters) of {m}",
        ),
        "{id} has about {billions} parameters.",
    ),
    "release": (
        (
            "when (was|did) {m} (released|published|come out|made|launched|appear)",
            "(what is|what's) the release date of {m}",
            "{m} release date",
            "how (old|new|recent) is {m}",
            "since when (does {m} exist|is {m} available)",
        ),
        "{id} was released on {release}.",
    ),
    "download": (
        (
            "(how|HOWTO) (download|get|install|fetch|pull|obtain|add|load down) {m}",
            "(download|get|install|fetch|pull|add|grab|set up|bring|put) {m} (on this computer|on my mac|onto my machine|on my disk|here|)",
            "(make|have) {m} (available|installed|downloaded) (here|on this machine|)",
            "(please|can you|could you|i want you to) (download|get|install|fetch|pull|grab) {m} (for me|)",
            "(i want|i need|give me|get me|i would like|i'd like|let me have|i'll take) {m}",
            "where (can|do) i (get|download|find|obtain) {m}",
            "(command|how|what do i type|what must i type|what should i enter|what do i run) to (download|get|install|fetch|pull) {m}",
            "{m} (download|install|installation|download command)",
            "(download|installation|install) (of|command for|instructions for|steps for) {m}",
            "i (decided|chose|want) to (take|use|install|try|download) {m}",
            "how (does one|do people|do you) (download|install|get) {m}",
            "(fetch|bring|hand|send|order|find) me {m} (now|here|please|to my mac|over|)",
            "(i'd|i would|we would|we'd|i) (like|need|want|love) (to have|to get|to install|) {m} (here|on this machine|now|please|)",
            "{m} please",
            "can (i|we) have {m}",
            "(let's|let us) (download|get|fetch|install|pull|grab|have) {m}",
            "(start|begin|do|run) (the download|downloading|the installation|installing) (of|) {m}",
        ),
        "Run `convergio-mlx models download {id}`. It is {a_size} download and needs {memory} GB of memory.",
    ),
    "delete": (
        (
            "(how|HOWTO) (delete|remove|uninstall|erase|get rid of|drop|throw out|wipe|clean up|trash) {m}",
            "(delete|remove|uninstall|erase|get rid of|drop|wipe|throw out|trash|kick out|purge|ditch|nuke|scrap|clear) {m} (from my disk|from my mac|from my drive|from here|)",
            "take {m} off (my disk|my mac|this computer|my drive)",
            "i (don't|do not) (need|want|use) {m} (any more|anymore|any longer|now)",
            "i (want|would like|need) {m} (gone|removed|deleted|off my disk|away)",
            "(command|how) to (delete|remove|uninstall|erase) {m}",
            "(please|can you|could you) (delete|remove|uninstall) {m}",
            "how (is|can) {m} (deleted|removed|be removed|be deleted|be uninstalled|uninstalled)",
            "i'm (done|finished) with {m}, (remove it|how do i remove it|what now|delete it)",
            "{m} is (useless|too big|not needed), how (can i|do i) (remove|delete) it",
            "(no more|away with|bye bye|time to remove|out with) {m}",
            "(i|we) (no longer|never|don't) (use|need|want|like|touch) {m} (, how (do|can) i (remove|delete|drop) it|, remove it|any more|)",
            "{m} (can|must|should|has to) (go|be removed|be deleted|leave)",
        ),
        "Run `convergio-mlx models delete {id}`. That frees {size} of disk space.",
    ),
    "verify": (
        (
            "(how|HOWTO) (verify|check|validate|test the integrity of|check the files of|check the checksums of) {m}",
            "(verify|check|validate) {m}",
            "is (my|the) (copy|download|file|files) of {m} (intact|correct|complete|valid|ok|whole|undamaged)",
            "(checksum|integrity|hash) (of|check for|for) {m}",
            "(how do i know|how can i be sure|how can i tell) (that|if|whether) {m} is (complete|intact|undamaged|correct|not corrupted)",
        ),
        "Run `convergio-mlx models verify {id}`; it checks every file's checksum.",
    ),
    "repair": (
        (
            "(how|HOWTO) (repair|fix|restore|mend|heal|re-download the damaged files of) {m}",
            "(repair|fix|mend|restore) {m}",
            "{m} is (broken|damaged|corrupt|corrupted|incomplete|defective|faulty)",
            "(the files|some files|one file) of {m} (are|seem|is|got) (damaged|corrupted|broken|missing)",
            "{m} (does not load any more|is corrupted), (how do i fix it|what now|what can i do)",
        ),
        "Run `convergio-mlx models repair {id}`; it fetches only the damaged files again.",
    ),
    "details_command": (
        (
            "(which|what) command (shows|prints|displays|gives) (details|information|info|everything) (about|of|on) {m}",
            "how (do|can) i (show|see|print|display) the (details|data|information) of {m} (on the command line|in the terminal|)",
        ),
        "Run `convergio-mlx models info {id}`.",
    ),
    "path": (
        (
            "where (is|are) {m} (stored|saved|located|on my disk|kept|installed|on disk|placed)",
            "(path|folder|directory|location) (of|for) {m}",
            "(which|what) (folder|directory|path) (is|has|holds|contains) {m} (in|stored in|)",
            "where (do|did|does) (you|it|the files of) (put|save|store) {m}",
            "(find|locate|show me) the (folder|files|directory|path|place) of {m}",
            "where can i find {m} on (my disk|my drive|my computer|my mac)",
            "where on my (disk|drive|computer) (is|are the files of) {m}",
            "{m} (path|folder|location|directory)",
            "(locate|look up|search|show|find out where) {m} (in the file system|on the drive|on this machine|in my folders|is on disk|lives)",
            "(where|in which folder) (does|do|did) {m} (live|sit|end up|get stored|lie|land) (on my (disk|drive|mac)|)",
        ),
        "{id} is in ~/.convergio/models/mlx/{id}/. `convergio-mlx models path {id}` prints it.",
    ),
    "chat": (
        (
            "(how|HOWTO) (chat|talk|speak|converse|have a conversation|start a chat) with {m}",
            "(how|HOWTO) (use|run|start|launch|try|load) {m}",
            "(use|run|start|launch|try|chat with|talk to|switch to|change to) {m}",
            "(i want|let me|can i|could i|may i) (talk|chat|speak) (to|with) {m} (now|instead|instead of you|)",
            "(switch|change) (the model|) to {m}",
            "open a (chat|conversation) with {m}",
            "how (do|can|would) i (select|choose|pick) {m} (for a chat|for chatting|as the chat model|in the chat)",
            "how would i (speak|talk|chat) (to|with) {m} (rather than|instead of) (you|the guide)",
        ),
        "Run `convergio-mlx chat -m {id}`.",
    ),
    "python": (
        (
            "(how|HOWTO) (load|use|run|open|call|embed|integrate) {m} (in|from|with|inside|within) (python|a python program|my python code|a script|my program|my code|an application)",
            "(load|use|run|open|embed|call|integrate) {m} (in|from|with|inside) (python|a python program|my python code|a script|my app|a python app)",
            "{m} (in|from|and) python",
            "python (code|example|snippet) (for|with|to load|to run) {m}",
        ),
        'In Python: `convergio_mlx.Engine.load("{id}")`, then `engine.generate(prompt)`.',
    ),
}
YES_NO: dict[str, tuple[str, ...]] = {
    "tools": (
        "(does|can) {m} (support|do|use|call|handle) (tools|tool calls|tool calling|functions|function calling)",
        "{m} (tool|function) calling",
        "(is|are) (tool calling|function calling|tool calls|tools) (possible|supported|available) (with|in|by) {m}",
    ),
    "reasoning": (
        "(is {m} a reasoning model|does {m} reason|does {m} think step by step|can {m} reason|does {m} do reasoning)",
        "{m} reasoning model",
    ),
}


def slots(rng: random.Random, **more: str) -> dict[str, str]:
    return {
        "gb": expand(rng, GB),
        "mach": expand(rng, MACHINE),
        "chip": expand(rng, CHIP),
        **more,
    }


def _with_how(template: str) -> str:
    return template.replace("(how|HOWTO)", HOW)


def _fill(answer: str, m: Model) -> str:
    return answer.format(
        id=m.id,
        name=m.display_name,
        use=m.use,
        size=m.size,
        a_size=m.a_size,
        memory=m.memory_gb,
        context=m.context_window,
        repository=m.repository,
        licence=m.licence,
        billions=m.billions,
        release=m.release_date,
    )


IT = ("it", "this model", "that one", "that", "this one", "that model")


def one_model(rng: random.Random, model: Model | None = None, follow_up: bool = False) -> QA:
    """A question about one model; `follow_up` says "it" instead of the name."""
    m = model or rng.choice(MODELS)
    weights = {"memory": 3, "size": 3, "info": 3, "download": 3, "delete": 2, "chat": 2}
    kinds = [k for k in PER_MODEL if not (follow_up and k in ("info", "details_command"))]
    kind = rng.choices(kinds, [weights.get(k, 1.4) for k in kinds])[0]
    templates, answer = PER_MODEL[kind]
    if follow_up:
        templates = tuple(t for t in templates if not t.startswith("{m}"))
    name = rng.choice(IT) if follow_up else rng.choice(m.names)
    question = pick(rng, [_with_how(t) for t in templates], slots(rng, m=name))
    if follow_up and rng.random() < 0.5:
        question = (
            expand(rng, "(and|ok,|ok and|so|now,|great,|then|and how about this:|nice.) ")
            + " "
            + question
        )
    return QA(noise(rng, question), _fill(answer, m), m.id)


def yes_no(rng: random.Random) -> QA:
    """Does a model call tools, does it reason."""
    m = rng.choice(MODELS)
    kind = rng.choice(list(YES_NO))
    question = pick(rng, YES_NO[kind], {"m": rng.choice(m.names)})
    if kind == "tools":
        answer = (
            f"Yes, {m.id} supports tool calls."
            if m.tools
            else f"No, {m.id} does not support tool calls."
        )
    else:
        answer = (
            f"Yes, {m.id} is a reasoning model."
            if m.reasoning
            else f"No, {m.id} is not a reasoning model."
        )
    return QA(noise(rng, question), answer, m.id)


ELSEWHERE = (
    "download",
    "delete",
    "verify",
    "repair",
    "chat",
    "path",
    "info",
    "memory",
    "size",
    "context",
    "licence",
)


def other_model(rng: random.Random) -> QA:
    """A question about a model of which the guide knows only the name: the command to ask."""
    m = rng.choice(OTHERS)
    kind = rng.choice(ELSEWHERE)
    templates, answer = PER_MODEL[kind]
    name = rng.choice((m.id, m.id, m.display_name))
    question = pick(rng, [_with_how(t) for t in templates], slots(rng, m=name))
    if kind in ("verify", "repair", "chat", "path"):
        reply = _fill(answer, m)
    elif kind in ("download", "delete"):
        reply = f"Run `convergio-mlx models {kind} {m.id}`."
    else:
        reply = f"`convergio-mlx models info {m.id}` tells that: I know only nine models well."
    return QA(noise(rng, question), reply)
