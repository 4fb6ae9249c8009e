# ruff: noqa: E501 (templates are data, one a line)
"""Questions about one model, two models, a machine's memory or a purpose, and their answers."""

from __future__ import annotations

import random

from .facts import BY_ID, LARGEST, MODELS, OTHERS, SMALLEST, Model, advice
from .grammar import expand, pick
from .noise import noise
from .words import CHIP, GB, HOW, MACHINE, QA, glued

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


def _slots(rng: random.Random, **more: str) -> dict[str, str]:
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
    question = pick(rng, [_with_how(t) for t in templates], _slots(rng, m=name))
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
    question = pick(rng, glued(rng, FITS), _slots(rng, m=rng.choice(m.names), n=str(n)))
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
    question = pick(rng, glued(rng, MEMORY_ADVICE), _slots(rng, n=str(n)))
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
            _slots(rng, n=str(limit)),
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


LISTING = (
    "(what|which) models (are there|do you have|exist|are available|can i use|do you offer|do you support|can i download|are supported|can i choose from|does it support|could i install)",
    "(list|show|name|give me|enumerate|print) (all|) (the|your|available|) models (there are|you know|you have|)",
    "(model list|list of models|available models|all models|models|the catalogue|the catalog|model overview|supported models)",
    "(tell me|i want to know) (about|) (the|all|) models (there are|you have|)",
    "(what|which) (can|could) i (download|install|get)",
    "show me (all|the|every|) (choices|options|possibilities|downloads)",
    "what (choices|options|selection) (do i|are there|is there) (have|) (for models|of models|)",
    "(all|every) (model|thing) (that|) (i can install|can be installed|you can run|can be downloaded)",
    "which ones (are there|can i choose|do you offer)",
    "(list|show|name|give|tell|display|print|enumerate|spell out) (me|us|) (all|every one of|each of|everything in|the whole|the full|the complete|the entire) (the|your|) (models|available models|catalogue|list|collection|range|offer|line-up|selection|choice|supported models|downloadable models|registry)",
    "(what|which) (llms|language models|ais|models) (are|can be|could be) (downloaded|installed|had|on offer|available|supported|obtained|fetched|run) (with this|here|with it|)",
    "(everything|all|whatever|anything) (that|) (can be|i can|one can|you can|could be) (downloaded|installed|download|fetch|run|had|choose from|obtained|use)",
    "(show|tell|give|name|list) (me|us|) (everything|all|whatever|what|anything) (that|) (can be|i can|one can|we can|is) (downloaded|on offer|available|fetch|obtained|choose from|pick from)",
    "what (is|do you have) (in|on) (the|your) (menu|catalogue|shop|list|offer|store|registry)",
    "let me see (the|your|all) (models|choices|options|offer|catalogue)",
    "(overview|summary|table|list) of (the|all|your) (models|llms|options)",
    "which (language models|llms|ais) (do you|does it|does this) (support|offer|know|come with|include)",
    "what else (is there|can i install|do you have|could i get) (besides you|apart from you|)",
)
COUNT = (
    "how many models (are there|do you have|can i choose from|exist|are available|are in the list|do you know|can i download|does it offer)",
    "(number|count) of (available|) models",
    "how many (of them|choices|options|models) (are there|in total|altogether|do i have)",
    "how (large|big|long) is (the model list|the catalogue|the list of models)",
    "(how many|what number of) (models|language models|llms|options|different ones|alternatives|kinds of models) (are|is|do|does|can) (there|you|it|this tool|the tool|i) (have|supported|offer|know|choose from|pick from|install|listed|in all|to choose|run|)",
    "(count|number) (the|of all|of|) (models|supported models|your models)",
    "are there (many|several|more than five|only a few|a lot of) models (to choose from|to pick|)",
    "how (rich|wide|big) is (the|your) (choice|selection|offer) (of models|)",
    "(total|overall) number of models",
)
FAMILIES: dict[str, tuple[str, ...]] = {
    "llama": ("llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b-q4"),
    "deepseek": ("deepseek-r1-1.5b", "deepseek-r1-7b", "deepseek-r1-14b"),
}
FAMILY = (
    "(what|which) {f} (models|versions|sizes|variants|ones) (are there|do you have|exist|are available|can i get|do you offer)",
    "(list|show|name|give me) (the|all|your) {f} models",
    "how many {f} (models|versions) (are there|do you have)",
    "{f} (models|versions|sizes|variants|family)",
    "do you have (a|any) {f} (model|models|)",
    "(what|which) {f}s (are there|can i get|exist|do you offer|are available)",
    "{f}",
    "which sizes (of|does) {f} (are there|come in|exist)",
)


def listing(rng: random.Random) -> QA:
    """The nine models, how many they are, one family."""
    roll = rng.random()
    ids = [m.id for m in MODELS]
    if roll < 0.5:
        rows = ", ".join(f"{m.id} ({m.memory_gb} GB)" for m in MODELS)
        return QA(
            noise(rng, pick(rng, LISTING)),
            f"With the memory they need: {rows}. `convergio-mlx models list` shows more.",
        )
    if roll < 0.7:
        return QA(
            noise(rng, pick(rng, COUNT)),
            f"I know nine models to download: {', '.join(ids)}. `convergio-mlx models list` shows all there are.",
        )
    family = rng.choice(list(FAMILIES))
    name = rng.choice(
        {
            "llama": ("llama", "Llama"),
            "deepseek": ("deepseek", "DeepSeek", "DeepSeek R1", "deepseek r1"),
        }[family]
    )
    rows = ", ".join(f"{i} ({BY_ID[i].memory_gb} GB)" for i in FAMILIES[family])
    label = {"llama": "Llama", "deepseek": "DeepSeek"}[family]
    return QA(
        noise(rng, pick(rng, FAMILY, {"f": name})),
        f"{label} models, with the memory they need: {rows}.",
    )


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
    question = pick(rng, [_with_how(t) for t in templates], _slots(rng, m=name))
    if kind in ("verify", "repair", "chat", "path"):
        reply = _fill(answer, m)
    elif kind in ("download", "delete"):
        reply = f"Run `convergio-mlx models {kind} {m.id}`."
    else:
        reply = f"`convergio-mlx models info {m.id}` tells that: I know only nine models well."
    return QA(noise(rng, question), reply)


MAKERS = (
    (one_model, 12.0),
    (yes_no, 0.8),
    (fits, 3.2),
    (memory_advice, 3.0),
    (purpose_advice, 4.5),
    (biggest, 0.6),
    (compare, 1.0),
    (listing, 2.2),
    (other_model, 0.8),
)


def about_models(rng: random.Random) -> QA:
    """A question about the models."""
    maker = rng.choices([m for m, _ in MAKERS], [w for _, w in MAKERS])[0]
    return maker(rng)
