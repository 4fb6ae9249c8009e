# ruff: noqa: E501 (templates are data, one a line)
"""Questions about the tool itself (one answer each) and small talk."""

from __future__ import annotations

import random

from .about_models import HOW, QA
from .grammar import invented_word, noise, pick, plain

TOOL = "(convergio-mlx|convergio|this tool|this program|it|this|this thing|the tool|this app|this software|the program|the app)"

# Each entry: an answer, and templates of the questions that it answers.
TOPICS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # ---- what it is
    (
        "I am convergio-guide, the small model built into convergio-mlx. I am only a guide to this tool, its models and commands, not a general model.",
        (
            "(who|what) (are|r) (you|u)",
            "what is your name",
            "(what's|whats|tell me|say) your name",
            "what (are you called|do i call you|should i call you|do they call you)",
            "(introduce|present|describe) yourself (briefly|shortly|)",
            "(tell me|say something) about (you|yourself)",
            "who am i (talking|speaking|chatting) (to|with)",
            "what am i (talking|speaking|writing) (to|with) (here|)",
            "(which|what) (model|ai|llm|language model) (are you|is this|am i using|is running|answers me|am i talking to|do i talk to)",
            "what (kind|sort|type) of (model|ai|assistant|thing|bot|program) are you",
            "(are you|is this) (a|an) (general|large|real|proper) (model|language model|llm)",
            "(what is|what's) (convergio-guide|the guide|the built-in model|the embedded model|the built in guide)",
            "is this (the|a) (built-in|embedded|bundled) model",
            "do you have a name",
            "who is this",
            "who (is answering|answers) me",
            "what is this chat (bot|model|assistant)",
            "(are|r) you (an|a) (ai|bot|assistant|chatbot|language model|robot)",
            "what model is (the default|used without a download)",
            "your identity",
        ),
    ),
    (
        "No. I am convergio-guide, the small model built into convergio-mlx. I run on your own machine and know only this tool.",
        (
            "are you (chatgpt|gpt|gpt-4|claude|gemini|openai|llama|copilot|siri|alexa|a big model|deepseek|mistral|from openai|from anthropic|from google)",
            "(is this|is it|am i using|am i talking to|do i speak with|do i talk to) (chatgpt|claude|gemini|gpt|gpt-4|siri|copilot|alexa|bard)",
            "are you (related to|based on|made by|the same as|a version of|a kind of|like) (chatgpt|claude|gpt|openai|google|llama|anthropic|gemini|microsoft)",
            "(are you|is this) (some|a) (sort|kind|type) of (gpt|chatgpt|claude|siri|openai model|cloud ai|gemini)",
            "did (openai|anthropic|google|meta|microsoft) (make|create|train|build) you",
            "is this (a|some) (cloud|online) (model|service|ai)",
        ),
    ),
    (
        "No, I am a program: convergio-guide, the small model built into convergio-mlx.",
        (
            "are you (a human|human|a person|a real person|alive|real|a man|a woman|conscious|sentient|a living being)",
            "(is this|am i talking to|do i talk to|am i chatting with|is there) (a human|a person|a real person|somebody|someone real|a real human) (there|)",
            "(do you have|have you got) (feelings|emotions|a body|a soul|consciousness|a family|parents|children)",
            "(how old are you|where do you live|where are you from|when were you born|what is your age|where were you born)",
            "are you (male or female|a boy or a girl|a he or a she)",
        ),
    ),
    (
        "I can answer questions about convergio-mlx: its models, memory needs, commands, storage, offline use and troubleshooting. For anything else download a larger model.",
        (
            "what (can|could) you (do|do for me|help with|help me with|answer|tell me|know)",
            "what do you know (about|)",
            "what are (you|your) (good at|capable of|able to do|abilities|capabilities|skills|limits)",
            "(can|could|will) you help me (out|) (please|with something|with this|)",
            "(i need|please|can i get) (help|some help|assistance|support)",
            "help",
            "help me (please|)",
            "what (can|may|should|could) i ask (you|)",
            "how can you help (me|)",
            "which (questions|topics) (can|do) you (answer|cover|know|understand)",
            "what (sort|kind|kinds|type) of (questions|things) (can|do|may) (i|you) (ask|answer|know)",
            "what are you (for|here for|made for)",
            "(i have|i've got) (a question|some questions|a problem)",
            "(can|may|could) i ask (you|) (a question|something|you something)",
            "show me what you can do",
            "what is your (purpose|job|task|function|role)",
            "what (subjects|topics|things) are you (allowed|able|trained) to (answer|talk about|discuss)",
        ),
    ),
    (
        "I have about 3 million parameters and take about 2 MB. That is hundreds of times smaller than the models you can download, so I know only this tool.",
        (
            "how (big|large|small) (are you|is the guide|is the built-in model|is convergio-guide|is the embedded model)",
            "how many (parameters|params|weights) (do you have|have you|has the guide|has the built-in model|does convergio-guide have|does the guide have|do you consist of|has the embedded model)",
            "(what is|what's) your (size|parameter count|number of parameters)",
            "how (smart|clever|intelligent|capable|good|powerful) are you",
            "are you (smart|clever|intelligent|small|tiny|big|powerful|as good as a large model|as clever as the others|better than gpt)",
            "why are you (so small|so limited|not smarter|so dumb compared to others|so simple)",
            "how do you compare (to|with) (larger|bigger|real|other|big) models",
            "how were you (trained|made|built)",
            "are you (worse|less capable|weaker) than (the other models|a big model|a real model|chatgpt)",
        ),
    ),
    (
        "convergio-mlx runs quantized language models on your own machine with MLX, offline and in the host's own process.",
        (
            f"what (is|does) {TOOL.replace('|it|this|', '|')} (do|about|for|good for|)",
            "(what is|whats|what's) convergio-mlx (about|for|)",
            "(explain|describe|summarize|introduce) (convergio-mlx|this tool|this program|this software) (to me|briefly|in one sentence|)",
            "(tell me|explain) (what|) (convergio-mlx|this tool|this program) (is|does) (for|)",
            "(what|why) (can|should|would) i (do|use) (with|) (convergio-mlx|this tool|this program)",
            "what is the (purpose|point|goal|idea|use) of (convergio-mlx|this tool|this program|this software|all this)",
            "convergio-mlx",
            "i (just|) (installed|found|downloaded|got) (convergio-mlx|this tool|this program|this package) (, what does it do|, what is it for|, what now|)",
            "what (is|are) (the|) (main|) (benefits|advantages|features|strengths) (of|) (convergio-mlx|this tool|this program)",
            "what sort of (tool|program|software|package) is (this|convergio-mlx)",
            "why (would|should) (i|anyone|one) (use|want|run) (convergio-mlx|local models|a local model|this)",
        ),
    ),
    (
        "No: there is no server or daemon. The model runs inside the program's own process.",
        (
            f"(does|do|must|will) {TOOL} (need|use|start|run|require|have) (a|an|any) (server|daemon|background process|background service|service|ollama server|separate server|container|docker)",
            "(is there|do i need|must i start|do i have to run|do i have to start) (a|any|an) (server|daemon|background process|service|docker container|ollama)",
            "(do i need|does it use|is it based on|does it need|is it) (ollama|llama.cpp|docker|lm studio)",
            "(is it|is this|how is it|how does it differ|what is the difference) (like|different from|compared to|from|to) (ollama|llama.cpp|lm studio)",
        ),
    ),
    (
        "It costs nothing: there are no API fees, the models run on your own machine.",
        (
            f"(how much|what) does {TOOL} cost",
            f"(is|are) ({TOOL}|the models|it|a download) (free|gratis|free of charge|for free|expensive|paid|cheap)",
            "(do|must|will|does) (i|we) (have to|need to|) (pay|pay for this|pay something|pay anything|buy a licence|subscribe|get a subscription)",
            "(price|cost|fee|fees|pricing|subscription|charges|bill)",
            "what (is|are) the (price|cost|costs|fees|charges) (of|for|) (using it|this|the models|)",
            "what (does it|will it|will this) cost me (per token|per month|)",
            "is there a (subscription|fee|charge|price|free version|limit on usage)",
            "(do i|will i|does one) (get|have) (billed|charged|an invoice)",
        ),
    ),
    # ---- commands
    (
        "Run `convergio-mlx chat` to chat, or `convergio-mlx chat -m MODEL` for a certain model. Without a download it uses me, the built-in guide.",
        (
            f"{HOW} (chat|start a chat|start chatting|open a chat|have a conversation|talk to a model|chat with a model|ask a model something|start a conversation|open the chat|begin a dialogue)",
            "(chat command|start chat|chatting|begin a chat|open chat|the chat command)",
            "(what is|what does|explain) (the chat command|convergio-mlx chat|chat) (do|for|)",
            "(which|what) (command|subcommand) (starts|opens|begins|is for) (a|the|) (chat|chatting|chats|dialogue|dialog)",
            "what do i (type|enter|run|write) to (chat|start a chat|talk|ask a question)",
            "how (do|can|would) i (chat|talk) (in the terminal|on the command line|here|)",
            "how (do|can|would) (i|you) (choose|select|pick|switch|change) (a|the|another|which) model (in the chat|for the chat|when chatting|)",
            "what (does|is) (the|) -m (flag|option|do|for|mean|)",
            "{HOW} (use|run|start) (a|another|a different) model",
        ),
    ),
    (
        'Run `convergio-mlx complete "TEXT"`: it continues a text without a chat template.',
        (
            f"{HOW} (complete a text|continue a text|complete a prompt|use a raw prompt|run a prompt without a chat template|get a plain completion|let it finish my sentence|do text completion)",
            "(complete command|completion|text completion|raw completion|the complete command|raw prompt|plain completion)",
            "(what is|what does|explain) (the complete command|convergio-mlx complete|complete) (do|for|)",
            "(which|what) (command|subcommand) (completes|continues|extends) (a text|text|a prompt)",
            "(without|no) (a|) (chat template|template)",
            "what is the difference between chat and complete",
            "(continue|finish|extend) (my|a) (text|prompt|sentence) (with a model|without template)",
        ),
    ),
    (
        "Run `convergio-mlx models list`: it shows the models and which are downloaded.",
        (
            f"{HOW} (list|see|show|view|display) (the|all|my|available|installed|downloaded) models",
            "(which|what) models (have i|did i|do i have) (downloaded|installed|already|on my disk|on this machine)",
            "(what|which) (command|subcommand) (lists|shows|prints) (the|all|available|my|) models",
            "(models list|list command|installed models|downloaded models|my models|the models list command)",
            "(what is|what models are|what's|which ones are) (already|) (downloaded|installed) (on my machine|here|on this computer|)",
            "how do i (know|find out|see) (what is installed|which models i have|what i have downloaded|what's on my disk|which models are installed)",
            "what does models list (do|show)",
            "(see|show|display) (what i have|what is installed|my downloads|installed ones)",
        ),
    ),
    (
        "Run `convergio-mlx models info MODEL` for the details of a model.",
        (
            f"{HOW} (see|show|get|view|print) (the|) (details|information|info|facts|data) (of|about|on) a model",
            "(which|what) (command|subcommand) (shows|prints|gives|displays) (details|information|info) (about|of|on) a model",
            "(models info|info command|model details|model information|the info command)",
            "what does models info (do|show|print)",
            "where (can|do) i (see|find|read) (details|more|information) (about|on|of) (a|one|some) (model|certain model)",
        ),
    ),
    (
        "Run `convergio-mlx models download MODEL`, for example `convergio-mlx models download llama-3.2-1b`.",
        (
            f"{HOW} (download|get|install|fetch|pull|add|obtain) (a|another|the|new|more|a larger|a bigger|a better|my first|some) (model|models)",
            "(which|what) (command|subcommand) (downloads|gets|installs|fetches) (a|the|) (model|models)",
            "(models download|download command|model download|downloading|install a model|download a model|get a model|the download command)",
            "(where|how) (do|can) i get (a|the|more|larger|better) (model|models)",
            "what does models download do",
            "where (do|are|can) (the models|models|i get models) (come from|downloaded from|)",
            "i (want|need) (a|another|a larger|a bigger|a better|a real) model",
            "what do i (type|run|enter) to (download|get|install) (a model|models|one)",
            "how (does|do) (downloading|downloads|the download) work",
        ),
    ),
    (
        "Run `convergio-mlx models delete MODEL`; `convergio-mlx models list` shows what is there.",
        (
            f"{HOW} (delete|remove|uninstall|erase|get rid of|drop|wipe|throw away) (a|the|my|some|old|all|unused) (model|models)",
            "(which|what) (command|subcommand) (deletes|removes|uninstalls|erases) (a|the|) (model|models)",
            "(models delete|delete command|model removal|delete a model|remove a model|the delete command|removing models|uninstalling)",
            f"{HOW} (free|free up|save|reclaim|recover|get back|gain|clear) (disk|) (space|storage|room)",
            "(models|they|the models) (take|use|need|eat|occupy) (too much|a lot of|all my) (space|disk|disk space|storage|room)",
            "what does models delete do",
            "(clean up|tidy up|cleaning) (the models|my models|the disk|my disk|storage)",
        ),
    ),
    (
        "Run `convergio-mlx models verify MODEL`: it checks every file's checksum. `convergio-mlx models repair MODEL` fetches damaged files again.",
        (
            f"{HOW} (verify|check|validate|test) (a|the|my|that a|whether a|if a) (model|download|model's files|models|files|downloaded files|model files) (is complete|is intact|are ok|for damage|for errors|)",
            "(which|what) (command|subcommand) (verifies|checks|validates) (a|the|) (model|models|files|checksums|downloads)",
            "(models verify|verify command|check integrity|integrity check|checksum|checksums|sha256|the verify command|hash check)",
            "(are|is) (my|the) (files|model|download|models) (ok|intact|complete|correct|undamaged|corrupted|valid|damaged)",
            "how (do i|can i) (know|be sure|make sure|tell|find out) (that|if|whether) (a|the|my) (download|model|file) (is|was) (complete|correct|ok|intact|damaged|not corrupted)",
            "how are downloads (checked|verified|validated)",
            "what does models verify do",
            "does it (check|verify|validate) (the|) (files|downloads|checksums|integrity)",
        ),
    ),
    (
        "Run `convergio-mlx models repair MODEL`: it checks the files and fetches only the damaged ones again.",
        (
            f"{HOW} (repair|fix|mend|restore|heal) (a|the|my|a broken|a damaged|a corrupted) (model|download|models|model folder)",
            "(which|what) (command|subcommand) (repairs|fixes|mends|restores) (a|the|) (model|models|files|damaged files)",
            "(models repair|repair command|fix a model|the repair command|repair a model|corrupt model|corrupted model|damaged model)",
            "(my|the|a|one) (model|download|file|model file|weights file) (is|seems|looks|got|appears) (broken|corrupt|corrupted|damaged|incomplete|defective|wrong|faulty|bad)",
            "(sha|sha256|hash|checksum) (mismatch|problem|wrong|failed) (after the download|after downloading|on a file|)",
            "(checksum|hash|sha256) (error|mismatch|failed|does not match|is wrong|failure|differs|problem)",
            "(i get|there is|it reports|it shows|i see) (a|an) (checksum|hash|integrity|corruption|corrupt file) (error|mismatch|problem|failure)",
            "(verify|verification) (failed|fails|reports an error|found a damaged file|says a file is wrong)",
            "what does models repair do",
            "a file (is damaged|was changed|is truncated|got corrupted)",
        ),
    ),
    (
        "Run `convergio-mlx models recommend`: it looks at your machine and says which models suit it.",
        (
            "(what|which) (model|one|models) (suits|fits|is right for|is best for|runs on|works on|suit) (my|this) (machine|mac|computer|laptop|hardware|system|pc)",
            "(which|what) (command|subcommand) (recommends|suggests|proposes|picks|finds) (a|the best|) (model|models)",
            "(models recommend|recommend command|recommendation|the recommend command|model recommendation)",
            f"{HOW} (get a recommendation|find the right model|find out which model fits|choose a model|pick the right model|know which model fits my machine|find a suitable model)",
            "what does models recommend do",
            "(can|could) (it|you|the tool|the program) (choose|pick|select|recommend|decide on|find) (a|the best|the right) model (for me|for my mac|for my machine|automatically|by itself|)",
            "(choose|pick|select) (a|the right) model for (me|this machine|my computer)",
            "i don't know which model (to take|to choose|i should use|is right)",
        ),
    ),
    (
        "Run `convergio-mlx models import FOLDER`: it takes a local folder, or a model already in the Hugging Face cache, without a second copy where possible.",
        (
            f"{HOW} (import|use|add|reuse|load|bring in) (a|my own|a local|an existing|my|an already downloaded) (model|folder|model folder|local model|hugging face model|model from disk)",
            "(which|what) (command|subcommand) (imports|adds) (a|) (local|) (model|folder|models)",
            "(models import|import command|import a model|local folder|own model|the import command|import from folder)",
            "(i have|i already have|there is) (a|the|my) (model|weights|files|safetensors|mlx model) (on my disk|in a folder|in the hugging face cache|on a usb stick|locally|downloaded elsewhere|already downloaded) (, can i use it|, how do i import it|, what now|)",
            "(can|how do) i (use|import|reuse) (models|a model|files) from (the hugging face cache|huggingface|the hf cache|a folder|a usb stick|another computer)",
            "what does models import do",
            "(transfer|copy|move|carry|bring) (a|the) model (from|to) another (computer|machine|mac)",
            "my own (fine-tuned|finetuned|converted|custom) model",
        ),
    ),
    (
        "`convergio-mlx models path MODEL` prints a model's folder.",
        (
            "(which|what) (command|subcommand) (prints|shows|gives|tells) (the|a) (path|folder|directory|location) (of a model|of a model's files|)",
            "(models path|path command|the path command)",
            "what does models path (do|print|show)",
            f"{HOW} (print|show|get) the path of a model",
        ),
    ),
    (
        "`convergio-mlx models pin` is for maintainers: it fills in the revision and the file hashes of the registry from the hub.",
        (
            "(what is|what does|explain|what's) (models pin|the pin command|convergio-mlx models pin|pin) (do|for|about|)",
            "(models pin|pin command|pin)",
            "(which|what) (command|subcommand) (pins|fixes) (revisions|hashes|a revision|the versions)",
            f"{HOW} pin (a model|a revision|hashes|versions)",
            "who needs (models pin|the pin command|pin)",
            "what (is|does) pinning (for|do|mean)",
        ),
    ),
    (
        "Run `convergio-mlx setup`: the wizard lists, downloads, deletes and verifies models and sets the default one.",
        (
            f"{HOW} (set up|configure|start|get started|begin|set it up|set everything up|get going)",
            "(setup|set up|wizard|setup wizard|getting started|get started|first steps|configuration|quick start|quickstart|the setup command)",
            "(what is|what does|explain|is there) (setup|the setup wizard|convergio-mlx setup|the wizard|a wizard|a setup|a menu|an assistant for setup|a guided setup) (do|for|)",
            f"{HOW} (set|change|choose|select|pick|define) (the|a|my|another) (default model|default|standard model|model used by default|preferred model)",
            "(default model|make a model the default|change default|standard model|set default)",
            "where do i (begin|start)",
            "(i am|i'm) (new|a beginner|lost|new here|not technical) (, where do i start|, what do i do|, how do i begin|)",
            "{HOW} make (a model|llama|mistral|phi|it|this one|that model) (the default|my default|default|my usual model)",
            "(switch|change|set) the (standard|default|usual) model (to phi|to mistral|to llama|to another one|)",
            "is there (a|an) (menu|interactive way|graphical way|easy way) (to download models|to manage models|for newcomers|)",
            "what (should|do) i do first",
        ),
    ),
    (
        "Run `convergio-mlx doctor`: it tells what works here and what does not, and why.",
        (
            f"{HOW} (diagnose|diagnose a problem|find out what is wrong|check my installation|check my system|troubleshoot|test my installation|find the problem|debug my setup|examine my machine)",
            "(doctor|doctor command|diagnosis|diagnostics|the doctor command|health check|troubleshooting|system check|self test)",
            "(what is|what does|explain) (doctor|the doctor command|convergio-mlx doctor) (do|for|check|)",
            "(something|it|everything|the tool|this) (is|seems) (wrong|broken|not working|failing|messed up)",
            "(it|this|nothing|the program|convergio-mlx) (does not|doesn't|won't) (work|start|run|function) (at all|any more|)",
            "(i have|there is|i've got) (a problem|an error|trouble|an issue|problems)",
            "it (crashes|crashed|hangs|freezes|fails|stopped working|gives an error|shows an error)",
            "(i get|i see|there is|it prints|it shows) (an|some|a strange|a weird) (error|errors|error message|failure)",
            "why (does it not|doesn't it|won't it) (work|start|run)",
            "(which|what) (command|subcommand) (diagnoses|checks|examines|tests) (problems|my system|the installation|my machine|everything)",
            "(where|how) (do|should|can) i (begin|start) (looking|searching|when it fails|if there is a problem|troubleshooting)",
            "no (command|model) works (any more|)",
        ),
    ),
    (
        "Run `convergio-mlx help`, or `convergio-mlx help local`, `help models` or `help setup`. Every command also takes --help.",
        (
            f"{HOW} (get help|see the help|read the help|find the documentation|see all commands|list the commands|read the manual|get documentation)",
            "(help command|the help command|documentation|manual|docs|--help|command list|list of commands|all commands|commands|help pages)",
            "(which|what) (commands|subcommands) (are there|exist|do you have|can i use|does it have|are available|do you know)",
            "(where|how) (is|can i find|do i find|do i get) (the|) (documentation|help|manual|docs|help text|help page|instructions)",
            "(show|list|give) me (all|the|) (commands|subcommands)",
            "what does (help|convergio-mlx help) (do|show)",
            "is there (a|any|) (manual|documentation|help|guide|tutorial)",
        ),
    ),
    (
        "Type /exit to leave the chat. Ctrl-C stops only the answer.",
        (
            f"{HOW} (exit|quit|leave|end|close|stop) (the|this|) (chat|conversation|program|chatting|session)",
            "(exit|quit|how to exit|how to quit|leave chat|close the chat|end the chat|stop chatting)",
            "how (do|can) i get out (of here|of this|of the chat|)",
            "(which|what) (command|key) (ends|closes|leaves|quits) (the chat|the conversation|this)",
            "how (can|do|could) i (leave|quit|exit|stop|go|get away)",
            "i want to (leave|quit|exit|stop) (now|)",
            "what does /exit do",
        ),
    ),
    (
        "Press Ctrl-C: it stops the answer, and the chat goes on.",
        (
            f"{HOW} (stop|interrupt|cancel|abort|cut short|halt) (the|an|its|a running|a long|this) (answer|reply|generation|output|response|text)",
            "(interrupt|cancel generation|stop the answer|stop generating|ctrl-c|ctrl c|abort the reply|stop it)",
            "(it|the model|the answer) (talks|writes|goes on|rambles|is) (too much|too long|forever|and does not stop|on and on), (how do i stop it|how to stop|can i stop it)",
            "what (does|happens with|happens when i press) ctrl-c (do|)",
            "the (answer|reply|text) (is too long|never ends|does not end|keeps going) (, stop|, how do i stop it|)",
            "(make|get) (it|the model) (stop|be quiet|shut up|stop writing)",
            "(which|what) key (stops|interrupts|cancels) (the answer|the model|generation)",
        ),
    ),
    (
        "In the chat, /help shows the chat's commands and /exit leaves it.",
        (
            "(what|which) (commands|slash commands|keys) (are there|can i use|work|exist|does it know) (in|inside|within) (the|a|this) chat",
            "(chat commands|slash commands|/help|commands in chat|commands inside the chat)",
            "what does /help (do|show)",
        ),
    ),
    (
        "Add --json: every command that prints data can print JSON.",
        (
            f"{HOW} (get|print|have|produce|see) (json|json output|machine-readable output|the output as json|structured output)",
            "(json|json output|--json|output as json|machine-readable output|parse the output|output format)",
            "(can|does|could|is|will) (it|the output|the tool|the result) (print|be|output|produce|give|come as) (json|machine-readable|in json|available as json|structured data|parsed by a script|parsed by a program)",
            "(use|call|run) (it|the tool|the command) (in|from) a (shell|bash) script",
            "what does --json do",
            "(i want to|how do i) (parse|process|read) the output (in a script|with a program|by machine|)",
        ),
    ),
    (
        "Add --stats to `convergio-mlx chat`: it prints the time to the first token, tokens per second and peak memory.",
        (
            f"{HOW} (see|measure|show|get|print|find out|know) (the|) (speed|tokens per second|statistics|stats|performance|time to first token|throughput|timing|generation speed)",
            "(stats|--stats|statistics|tokens per second|tok/s|benchmark|performance numbers|speed measurement|timings)",
            "how (fast|quick|slow) is (it|the model|my model|the generation|my machine)",
            "what does --stats (do|show|print)",
            "(can|could) (i|it) (measure|show|print|display) (the speed|tokens per second|timings|statistics|how fast it is)",
            "how many tokens per second (do i get|does it make|does it do|can it generate|is it generating)",
        ),
    ),
    (
        'Use `convergio-mlx chat --system "TEXT"` to give a system prompt.',
        (
            f"{HOW} (set|give|use|change|add|pass|write) (a|the|my own|my) (system prompt|system message|instruction|persona|system instruction)",
            "(system prompt|--system|system message|set the system prompt|custom instructions)",
            "what does --system do",
            "(can|could) i (give|set|define|tell) (the model|it|) (instructions|a role|a personality|a system prompt|a persona|how to behave)",
            "(make|let) (the model|it) (behave|act|answer|speak) (like a pirate|in a certain way|as a teacher|differently)",
        ),
    ),
    (
        "Run `convergio-mlx --version`.",
        (
            "(what|which) version (is this|do i have|am i using|is installed|of convergio-mlx do i have|am i running|of the tool is this)",
            f"{HOW} (see|find|print|show|check|get) (the|my|your) (version|version number)",
            "(version|--version|version number|your version)",
            "is my (version|installation|convergio-mlx) (up to date|current|old|the newest)",
        ),
    ),
    (
        "On the command line give sampling options to `convergio-mlx chat`; in Python use `convergio_mlx.SamplingParams(temperature=0.7, max_tokens=200)`.",
        (
            f"{HOW} (set|change|adjust|choose|lower|raise|control) (the|) (temperature|sampling|top-p|top-k|max tokens|sampling options|seed|randomness|length of the answer|sampling parameters)",
            "(sampling options|samplingparams|top_p|top-k|max_tokens|sampling parameters|sampling params|seed|repetition penalty)",
            "(which|what) sampling (options|parameters|settings|methods) (are there|exist|do you support|does it support)",
            "(set|change|control) (the|) (temperature|seed|max tokens|answer length) (in|from|with) (python|code|my program|the engine)",
            "how do i (get|have|make) (the same answer every time|deterministic output|reproducible answers|shorter answers|longer answers)",
        ),
    ),
    # ---- storage
    (
        "Models are stored in ~/.convergio/models/mlx/<model-id>/. Set CONVERGIO_HOME to move ~/.convergio elsewhere.",
        (
            "where (are|do|does|will|did) (the|my|all|your|) (models|files|model files|downloads|weights|downloaded models|downloaded files|data) (stored|saved|kept|located|go|live|end up|placed|put|lie|reside|land)",
            f"where (does|do|did) {TOOL} (store|save|keep|put|write|place) (the|its|all|) (models|files|downloads|data|weights|stuff)",
            "(which|what) (folder|directory|place|path|location) (holds|has|contains|is used for|are|do|stores) (the|) (models|downloads|model files|downloaded models) (in|go to|end up in|kept in|stored in|)",
            "(storage location|model folder|model directory|models folder|path of the models|location of the models|storage path|store|download folder|download location)",
            "in (what|which) place (on the drive|on the disk|on my mac|) are (the|) (models|weights|files|downloads) (put|kept|stored|saved)",
            "(find|locate|see) (the|my) (model files|models|downloads|downloaded models) (on disk|on my mac|in the file system|on my drive)",
            "where can i find (the|my) (models|model files|downloads|weights)",
            "(to|in) (which|what) (folder|directory) (does it download|are models downloaded|do downloads go|does it save)",
            "where on (my|the) (disk|drive|computer) (are|is) (the models|everything|all this)",
        ),
    ),
    (
        "Set the environment variable CONVERGIO_HOME to another folder: it moves ~/.convergio, and the models with it.",
        (
            f"{HOW} (change|move|set|relocate|choose|alter) (the|) (storage|location|model folder|models folder|storage location|download folder|home folder|place of the models|models|models to another disk|download location|models elsewhere)",
            "(what is|what does|explain|whats) CONVERGIO_HOME (do|for|mean|)",
            "CONVERGIO_HOME",
            "(store|keep|put|save|move|place|have) (the|my|all|) models (on|in|onto|to) (an external|another|a different|a second|an usb|a bigger|the other) (disk|drive|folder|ssd|directory|volume|location)",
            "(can|could|may) (i|the models|models|the files) (use|be on|be stored on|be kept on|be placed on|store them on|put them on|live on|sit on) (another|an external|a different|a second) (disk|drive|folder|ssd|volume|place)",
            "(which|what) (environment variable|variable|env var|setting) (sets|moves|changes|is for|controls|decides) (the|) (folder|home|storage|location|models folder|download folder|place of the models|where models go)",
            "(external|another|second|usb|different) (disk|drive|ssd) (for the models|for storage|)",
            "my (internal disk|disk|ssd|home partition|main drive|system drive) is (small|nearly full|almost full|too small) (, can i store models elsewhere|, can the models go elsewhere|)",
        ),
    ),
    (
        "The configuration is ~/.convergio/config.json: default model, offline mode and options. `convergio-mlx setup` changes it.",
        (
            "where (is|are) (the|my|its) (config|configuration|config file|settings|settings file|preferences|options) (stored|saved|kept|)",
            "(config file|configuration file|config.json|settings|settings file|preferences|the config)",
            "(which|what) file (holds|has|contains|keeps) (the|my) (settings|configuration|options|preferences)",
            f"{HOW} (change|edit|see|find) (the|my) (settings|configuration|config|preferences|options)",
            "(what is|what's) (in|inside) (the config file|config.json|~/.convergio/config.json)",
            "where does it (remember|keep|store) (my settings|the settings|the options|my choices)",
        ),
    ),
    (
        "A model's folder holds its config, tokenizer, chat template, safetensors weights and a receipt with the files' checksums.",
        (
            "(what|which files) (is|are) (in|inside|part of) (a|the|each) (model|model folder|model's folder|model directory|downloaded model)",
            "(which|what) files (does a model have|belong to a model|make up a model|are downloaded|does a model consist of|does it download)",
            "(contents|files) of a model (folder|directory)",
            "what does a (model|model folder|downloaded model) (contain|consist of|look like|include)",
            "what is (the|a) receipt (in the folder|)",
        ),
    ),
    # ---- offline, privacy
    (
        "Yes, it works offline. Only downloading a model needs the internet; after that everything runs on your machine.",
        (
            f"(does|can|will|could|would) {TOOL} (work|run|function|be used|operate|go) (offline|without internet|without a connection|without a network|with no internet|without wifi|without the internet|on a plane|in an airplane|in a train without wifi|when there is no internet|with the network off|in flight mode)",
            f"(do|does|must|will) (i|it|the model|one|{TOOL}) (need|require|have to have|use|want) (the|an|a|) (internet|internet connection|network|connection|online connection|wifi|web|network access)",
            "(is|do i have to be) (internet|an internet connection|online|a connection|the internet|network access|connected) (needed|required|necessary|) (to use it|for this|to chat|)",
            "(offline|offline use|offline mode|no internet|without internet|internet|wifi|network|works offline)",
            "(can|may|could) i (use|run|chat|work) (it|this|the models|) (offline|without internet|on a plane|with no network|without being online|in the mountains without signal|in an air-gapped network|on an isolated machine)",
            "(air-gapped|air gapped|isolated|disconnected) (machine|system|network|computer|environment|site|use)",
            "what (happens|if) (without internet|i have no internet|the internet is down|i am offline|my wifi fails|the network is down)",
            "when (is|do i need) (the internet|a connection|the network) (needed|used|)",
            "(does|do) (any|anything|something) (of this|here|in it|) (need|require|use) (the|) (web|internet|network|cloud)",
            "(can|could|may) i (take|use|run) (it|this|the tool) on (a ship|a boat|the road|a train|an island|a trip|a mountain|the beach|a bus|my travels) (without signal|without a signal|with no reception|)",
            "are (the|) (models|answers|computations) (run|computed|done) (locally|on my machine|in the cloud|remotely)",
            "does it (use|need|run in) the cloud",
            "how does it work without (a server|the cloud|internet)",
        ),
    ),
    (
        "Use --offline, or set CONVERGIO_OFFLINE=1: then no network connection is opened at all.",
        (
            f"{HOW} (force|enable|turn on|activate|use|switch on|set|go to) (the|) (offline mode|offline|offline use)",
            "(what is|what does|explain) (CONVERGIO_OFFLINE|--offline|the offline flag|the --offline option|offline mode|CONVERGIO_OFFLINE=1) (do|for|mean|)",
            "(CONVERGIO_OFFLINE|--offline|offline flag|force offline|offline switch)",
            f"{HOW} (make sure|be sure|guarantee|ensure) (that|) (it|nothing|no connection|the tool) (stays offline|goes online|is opened|never connects|does not connect|is sent|goes to the network)",
            f"{HOW} (block|forbid|prevent|disable|switch off|turn off|stop) (all|any|the|) (network access|network|connections|internet access|internet|network connections|downloads)",
            "(which|what) (flag|option|variable|setting|switch) (forbids|disables|blocks|turns off|prevents) (the|) (network|internet|connections|network access)",
            "(never|do not|don't) (use|access|touch|open|contact) the (network|internet|web)",
        ),
    ),
    (
        "No. Your prompts and answers never leave this machine: no server, no telemetry, no API key.",
        (
            "(is|are) (my|the|any|our) (data|prompts|chats|conversations|questions|texts|inputs|messages|documents) (sent|uploaded|transmitted|stored|collected|shared|transferred|given|leaked) (anywhere|to a server|to the cloud|somewhere|to anyone|online|to someone|to others|to the internet|to a company|)",
            "(do|does|will|can) (you|it|the tool|anyone|somebody|others|the developers|this program|a company) (collect|send|upload|record|track|share|see|read|spy on|log|store|keep|watch|sell) (my|any|the|) (data|prompts|chats|conversations|questions|usage|texts|messages|input|information)",
            "(telemetry|tracking|analytics|data collection|logging|usage statistics|spyware)",
            "(do|does) (you|it|this) (have|use|contain|send|include) (telemetry|tracking|analytics|spyware|usage data|cookies)",
            "(is|are) (anyone|somebody|someone|you|they|it) (spying|listening|watching|snooping|looking|reading along|recording) (on me|in|here|)",
            "(who|can anybody|can anyone|can somebody|can others) (can|) (see|read|access|look at) (my|what i) (chats|prompts|data|questions|conversations|write|messages)",
            "does (it|anything|my data|something|a prompt|my text) (leave|go out of|get out of) (my|the|this) (machine|computer|mac|device|laptop)",
            "(do|does|must|will) (i|it|one) (need|have|require|use|want) (an|a|any) (api key|key|account|openai key|token|login|registration|anthropic key|password|user account|sign-up)",
            "(api key|api keys|account|login|registration|sign up)",
            "does it (connect|talk|send something|call home|report|phone) (home|to a server|to anyone|to its makers) (when it runs|at start|)",
            "(do i|must i) (register|sign up|log in|create an account|enter a key)",
        ),
    ),
    (
        "Yes, it is private: everything stays on this machine, and nothing leaves it.",
        (
            f"(is|how) {TOOL} (private|secure|safe|confidential|safe to use|good for privacy|trustworthy)",
            "(privacy|data protection|confidentiality|gdpr|security|data privacy|private)",
            "(is|are) (my|the|our) (data|privacy|chats|prompts|secrets|confidential data|conversations|documents) (safe|private|secure|protected|confidential|kept secret|local)",
            "(can|may|should) i (use|enter|type|trust it with|work with|give it|paste) (private|confidential|secret|sensitive|personal|customer|patient|company) (data|documents|information|texts|files|things) (here|)",
            "(what about|how about|tell me about|explain) (privacy|data protection|my privacy|security|confidentiality)",
            "does (everything|my data|all|the data|the chat) (stay|remain|happen) (on my machine|local|on this computer|here|on the device|private)",
            "i (work with|have|process|deal with) (secret|confidential|sensitive|medical|private) (data|documents|files|records) (, is that safe|, can i use it|, is this ok|)",
            "is (it|this) (ok|safe|allowed) (for|with) (sensitive|confidential|private|company) (data|documents|information)",
        ),
    ),
    # ---- hardware
    (
        "It runs on Apple silicon Macs (M1 and newer, on the GPU) and on Linux, x86_64 or arm64; on Linux also on NVIDIA GPUs with MLX's CUDA backend.",
        (
            "(what|which) (hardware|computers|machines|systems|platforms|computer|operating systems|machine|devices|macs) (is|are|do|does|can|will) (supported|needed|required|i need|it run on|it support|it need|run it|this run on|work|be used)",
            "(what|which) (hardware|computer|machine|system) do i need",
            "(system requirements|requirements|supported hardware|supported platforms|hardware requirements|platforms|operating systems|compatibility|minimum requirements)",
            f"(where|on what|on which systems|on which computers) (does|can|will) {TOOL} (run|work)",
            "(does|will|can) (it|this) (run|work|be installed) (on|under|with) (my mac|my computer|a mac|macos|linux|ubuntu|debian|fedora|arm64|a raspberry pi|arm|a server|a linux server|arch linux|my machine|red hat)",
            "(linux|macos|ubuntu|debian|mac|fedora) (support|supported|version|)",
            "(is|are) (linux|macos|ubuntu|debian|macs|arm computers|fedora) (supported|ok|possible|fine|good enough)",
            "can (i|my pc|my computer|my mac) run (it|this)",
            "what are the (requirements|prerequisites|hardware needs|system requirements)",
        ),
    ),
    (
        "No: on Intel Macs MLX is unavailable. You need a Mac with Apple silicon (M1 or newer), or Linux.",
        (
            "(does|will|can|could) (it|this) (run|work|be used) on (an|my|my old|an old) (intel mac|intel macbook|mac with an intel processor|intel imac|intel based mac|mac with intel chip)",
            "(intel mac|intel macbook|intel|mac with intel|intel imac|old intel mac|x86 mac)",
            "i have an (intel mac|intel macbook|old mac with intel|old intel macbook pro|imac with intel)",
            "(is|are) (an|) (intel mac|intel macs|intel macbook|intel processors on mac) (supported|ok|possible|enough|usable)",
            "(i have|i've got|i own|got) (an old|an ancient|a) (intel|pentium|core i5|core i7|x86) (mac|imac|macbook) (, any hope|, will it do|, does it work|)",
            "my mac (has|is|comes with) (an intel|intel) (processor|cpu|chip|based|) (, does it work|, is that ok|)",
            "my (mac|macbook) is from (2015|2016|2017|2018|2019) (and has intel|with an intel chip|, an intel one)",
        ),
    ),
    (
        "No, Windows is not supported. It runs on Apple silicon Macs and on Linux.",
        (
            "(does|will|can|could) (it|this|convergio-mlx) (run|work|be used|be installed) (on|under|with) (windows|windows 10|my windows pc|a windows pc|microsoft windows|a windows laptop)",
            "(windows|windows 10|windows pc|microsoft windows|windows support|windows version)",
            "(is|is there) (windows|a windows version|windows support|windows 10) (supported|possible|available|ok|planned|)",
            "i (use|have|run|work on|am on) (windows|a windows pc|windows 10|a windows machine|a windows laptop) (, does it work|, can i use it|)",
            "(what|how) about (windows|windows 10|android|my iphone|ipad|ios)",
            "(does|can) it (run|work) on (android|ios|my phone|an iphone|an ipad|a tablet)",
        ),
    ),
    (
        "Yes, every Apple silicon Mac works: M1, M2, M3, M4 and M5. The memory decides which models fit.",
        (
            "(does|will|can) (it|this) (run|work) on (an|a|my) (m1|m2|m3|m4|m5|M1|M2|M4|apple silicon|m1 macbook|m2 pro|m4 max|macbook air m1|m2 mac mini|apple m3|m1 ultra) (mac|)",
            "(is|are) (an|a|my) (m1|m2|m4|m5|apple silicon mac|m1 mac|m2 macbook|m4 mini|m1 pro) (enough|ok|supported|good|fast enough|fine|suitable|good enough)",
            "i have (an|a) (m1|m2|m3|m4|m5|apple silicon mac|m2 pro|m4 max|macbook with m3|m1 macbook air)",
            "(m1|m2|m3|m4|m5|apple silicon|m3 max|m2 ultra) (supported|support|mac|)",
            "(which|what) (apple chip|mac|apple silicon chip|macs) (do i need|is needed|works|work|are supported)",
        ),
    ),
    (
        "No GPU is needed: it also runs on the CPU, only slower. On a Mac the Apple GPU is used, on Linux an NVIDIA GPU works through MLX's CUDA backend.",
        (
            "(do i|does it|must i) (need|require|have|have to have) (a|an) (gpu|graphics card|video card|nvidia card|nvidia gpu|dedicated gpu)",
            "(can|does|will|could) (it|this) (use|run on|support|work with|benefit from|exploit|work on) (a|my|the|an|) (gpu|nvidia|nvidia gpu|cuda|graphics card|geforce|nvidia card|cpu only|cpu|video card|geforce card|h100|metal)",
            "(gpu|cuda|nvidia|graphics card|gpu support|cpu only|nvidia support|metal|geforce|rtx)",
            "(is|are) (a gpu|nvidia|cuda|nvidia cards|graphics cards|a graphics card|a dedicated graphics card) (supported|needed|required|used|necessary|obligatory|possible)",
            "i (have|don't have|have no|own) (a gpu|an nvidia card|a graphics card|an nvidia gpu|a geforce)",
            "(does it|can it) run (on the cpu|without a gpu|without graphics card|on cpu)",
            "what about (nvidia|amd cards|cuda|my graphics card)",
        ),
    ),
    (
        "Python 3.11 or newer.",
        (
            "(what|which) (python|python version|version of python) (do i need|is needed|is required|is supported|does it need|works|must i have|should i use|should i install)",
            "(python version|python versions|python requirement|minimum python|required python)",
            "(does|will|can) (it|this) (work|run) (with|on) python (3.8|3.9|3.10|3.11|3.12|3.13|2|3)",
            "is python (3.8|3.9|3.10|3.11|3.12|3.13) (ok|enough|supported|fine|too old|good)",
        ),
    ),
    # ---- python
    (
        'Like this: `import convergio_mlx`, `engine = convergio_mlx.Engine.load("llama-3.2-1b")`, then `for chunk in engine.generate("Hello"): print(chunk.text, end="")`.',
        (
            f"{HOW} (use|call|embed|integrate|run|include|drive) (it|this|convergio-mlx|a model|models|the engine|the library|convergio_mlx) (in|from|into|with|inside|through) (python|my python code|my program|my own program|python code|a python script|my app|an application|my software|my project)",
            "(python|python api|python example|python code|use from python|python usage|library|api|in python|python library|code example|sdk|python snippet)",
            "(is there|does it have|do you have|show me|give me) (a|an|the|some) (python|) (api|python api|library|example in python|python example|code example|python interface|sdk|programming interface)",
            "(load|run|start) a model (in|from) (python|code|a script)",
            f"{HOW} (use|call|run|invoke|put|integrate) (the engine|it|a model|convergio_mlx) (in|inside|from|into) (my flask app|my web app|a django site|my backend|a jupyter notebook|my service|a notebook|a server of mine|my python project)",
            f"{HOW} (write|create) (a|my own) (program|script|app|application) (with it|that uses it|using a model|with convergio-mlx)",
            "can i (program|script) (it|this|with it)",
            "Engine.load",
            f"{HOW} (load|create|make|get) (an|the) engine",
            "how does (engine.load|the engine|the python api) work",
            "what do i import (in python|)",
        ),
    ),
    (
        "`convergio_mlx.mlx_provider_create()` makes the provider for a host application; it returns None when MLX is unavailable there.",
        (
            "(what is|what does|explain|when does) (mlx_provider_create|mlx_provider_create()|the provider|the mlx provider|convergio_mlx.mlx_provider_create()) (do|for|return|return None|give|)",
            "(mlx_provider_create|mlx_provider_create()|provider|mlx provider|create a provider|provider interface|provider api)",
            f"{HOW} (create|make|get|build|obtain) (a|the|an mlx) (provider|provider object|mlx provider)",
            "(which|what) function (creates|makes|returns|gives) (a|the) provider",
            f"{HOW} (embed|integrate|use) (it|this|convergio-mlx) in (a host application|a host|the convergio cli|my host program)",
            "what if (mlx is unavailable|mlx is not available|mlx is missing)",
        ),
    ),
    (
        "Use `async for chunk in engine.agenerate(prompt)`; it yields the same chunks as `engine.generate`.",
        (
            f"{HOW} (use|call|run|generate with) (it|the engine|generate|this|a model|text) (with|in|from) (asyncio|async code|an async program|async python|await)",
            "(async|asyncio|agenerate|async generate|await|asynchronous|engine.agenerate)",
            "(is there|does it have|do you support|does the engine have) (an|) (async|asyncio|asynchronous) (api|version|support|interface|generator|function|)",
            "(can|does) (it|the engine) (work|run) (with|in) (asyncio|an event loop|async code)",
        ),
    ),
    (
        "Iterate over `engine.generate(...)`: each chunk has .text, .token_ids and .finish_reason. Chunks come as they are generated.",
        (
            f"{HOW} (stream|get the text piece by piece|stream tokens|stream the answer|get chunks|receive tokens one by one|print tokens as they come)",
            "(streaming|stream|stream tokens|streaming output|chunks|finish_reason)",
            "(does|can) (it|the engine|generate) (stream|support streaming|stream tokens|give the text bit by bit)",
            "what (is|does) (in a chunk|a chunk contain|engine.generate return|generate yield|generate return|a chunk)",
        ),
    ),
    (
        "Yes: many Python threads and asyncio tasks may use one engine at once; requests are queued fairly, and each gets its own answer.",
        (
            "(is|are) (it|the engine|this|requests|engines) (thread safe|thread-safe|threadsafe|safe with threads|safe to use from threads)",
            "(threads|thread safety|thread safe|concurrency|parallel requests|multithreading|concurrent requests|several threads)",
            "(can|may|could) (i|several threads|many threads|multiple threads|two users|several tasks|many users) (use|call|share|have) (one|it|the same|an|the) (engine|model|) (at once|in parallel|at the same time|concurrently|from several threads|in many threads|)",
            "(can|could) i (have|run|hold) (several|many|two|multiple) (conversations|chats|generations|requests) (at once|at the same time|in parallel) (in python|)",
            "what (happens|if) (two requests come at once|several threads call the engine|i send many requests|many threads use it)",
            "is one engine enough for (several|many|two) (threads|tasks|users|requests)",
        ),
    ),
    (
        "Call `convergio_mlx.availability()`: its .status is available, degraded (CPU only) or unavailable, with the reasons.",
        (
            f"{HOW} (check|test|know|see|find out) (whether|if|that) (mlx|it|the gpu|the engine|metal) (is available|works|is supported|can be used) (here|in python|in code|)",
            "(availability|availability()|is mlx available|convergio_mlx.availability|degraded|unavailable status)",
            "what does (degraded|unavailable|availability()|the status degraded) (mean|return|do)",
        ),
    ),
    (
        "Run `pip install .` in the source folder, or `pip install convergio-mlx` where it is published; you need Python 3.11 or newer.",
        (
            f"{HOW} (install|set up|build|get) (it|convergio-mlx|this|the package|the tool|this program|the software|this tool)",
            "(install|installation|pip|pip install|install instructions|how to install|installing|build from source|package)",
            "(how|where) (is|does) (it|convergio-mlx) (installed|get installed|)",
            "is there a (pip package|package|wheel|homebrew package|installer)",
        ),
    ),
    (
        "Update the package with pip; run `convergio-mlx --version` to see which version you have.",
        (
            f"{HOW} (update|upgrade|renew) (it|convergio-mlx|this|the package|the tool|the program)",
            "(update|upgrade|updating|new version|upgrade the tool)",
            "is there (a newer|a new|an updated) version",
        ),
    ),
    # ---- trouble
    (
        "The model needs more memory than is free. Take a smaller one: `convergio-mlx models recommend` says what fits, and llama-3.2-1b needs only 4 GB.",
        (
            "(out of memory|memory error|oom|out-of-memory error|not enough memory|insufficient memory|not enough ram|memory is full|ram is full)",
            "(i get|it says|it reports|i got|there is|it stops with|it failed with|it dies with) (out of memory|a memory error|an out of memory error|not enough memory|oom|insufficient memory|an oom)",
            "(what|what can i do|how do i fix|help) (if|when|) (memory is not enough|it runs out of memory|i run out of memory|the memory is not enough|there is not enough ram|out of memory|i have too little memory)",
            "(it|the model|my mac|loading|my machine) (runs out of|needs too much|uses too much|does not fit in|exceeds|eats all|used up all) (memory|the memory|ram|my ram|my memory)",
            "it (bombs|dies|quits|aborts|fails|crashes|stops|gives up) with (out of memory|an out of memory message|a memory problem|oom|not enough memory)",
            "the model (is too big|does not fit|is too large|won't fit) (for my machine|for my memory|in my ram|in memory|)",
            "i have (too little|not enough|very little|hardly any) (memory|ram) (for this model|for it|)",
            "(refuses to load|load refused|it refuses the model) (because of memory|, too little memory|)",
        ),
    ),
    (
        "Run the same download command again: it resumes where it stopped.",
        (
            "(my|the|a|our) (download|downloading) (stopped|failed|was interrupted|broke|got interrupted|broke off|hangs|is stuck|aborted|crashed|was cut|did not finish|ended early|stalled|got cut off)",
            "(can|does|will) (a|the|my|it|an interrupted) (download|downloads|it|) (be resumed|resume|continue|go on|continue later|be continued|pick up where it stopped) (after an interruption|)",
            f"{HOW} (resume|continue|restart|go on with|finish) (a|the|an interrupted|a failed|my|a broken) download",
            "(resume|interrupted download|resume download|continue download|failed download|partial download|incomplete download)",
            "(the|my) (connection|internet|power|wifi|computer) (broke|failed|went down|was lost|shut down|dropped) (during|while|in the middle of) (a|the|) (download|downloading)",
            "what (happens|if) (i stop|i interrupt|i cancel|the network fails during) (a|the) download",
            "the (progress bar|progress|download bar|download) (froze|is frozen|stands still|does not move|is stuck|hangs|stopped) (at 40%|at half|at 99%|in the middle|for an hour|)",
            "(only|just) (half|a part) of (the model|it|the file) (was downloaded|arrived|is there)",
            "do i (have|need) to (start|begin) (again|over|from zero) after (an interruption|a failed download)",
        ),
    ),
    (
        "Take a smaller model such as llama-3.2-1b, close other programs, and look at `convergio-mlx doctor`: on the CPU alone it is slower than on a GPU.",
        (
            "(it|this|the model|my model|generation|everything|the answer|the output) (is|runs|feels|seems) (slow|very slow|too slow|so slow|extremely slow|sluggish|terribly slow|not fast)",
            "(tokens|words|answers) (come|drip|appear) (very slowly|slowly|one by one so slowly|at a crawl|too slowly)",
            "why (is|are) (it|the model|answers|this|the answers|generation) (so|that|this|very) (slow|sluggish|not fast)",
            f"{HOW} (make it faster|speed it up|get faster answers|improve the speed|increase the speed|accelerate it|get more tokens per second)",
            "(slow|too slow|speed up|faster|slow answers|slow generation|performance problem|laggy)",
            "(it|the answer|every answer) (takes|needs) (too long|forever|ages|minutes|very long|a long time|an eternity)",
            "i (wait|have to wait|am waiting) (too long|forever|ages|minutes) (for an answer|for a reply|)",
            "my (machine|mac|computer|laptop|fan) (is slow|gets hot|is too slow for it|is overloaded|gets very loud)",
        ),
    ),
    (
        "Check the id with `convergio-mlx models list`; if it is not downloaded, run `convergio-mlx models download MODEL`.",
        (
            "(model not found|unknown model|no such model|model missing|model does not exist|model_not_found)",
            "(it|the tool|the program) (says|reports|tells me|claims|complains) (that|) (the model|my model|a model) (is not found|was not found|does not exist|is unknown|is missing|is not there|is not installed|is not downloaded)",
            "(i get|there is|i see|i got) (a|an|the) (model not found|unknown model|no such model) (error|message|)",
            "(why|how come) (can't|can) it (not|) (find|see|load) (my|the) model",
            "(it|the tool|the command) (cannot|can't|doesn't|does not|could not) (find|see|locate|recognize) (the|my|a) model",
            "(what is|where do i find|what are) (the|a) (id|ids|model id|model ids|right name) (of a model|of the models|of my model|)",
        ),
    ),
    (
        "The prompt is longer than the model's context window. Shorten it, start a new chat, or take a model with a larger context window such as llama-3.2-1b.",
        (
            "(context overflow|context length exceeded|prompt too long|context too long|context error|too many tokens|prompt is too long|context_length error|context limit)",
            "(my|the) (text|prompt|document|input|conversation|chat|file) (is too long|is too large|does not fit|exceeds the context|is longer than the context|has too many tokens|is too big for the model)",
            "(it|the model|the tool) (says|complains|reports|tells me) (that|) (the prompt|the context|my text|the input|the conversation) (is too long|is exceeded|exceeds the context window|is full|does not fit|is over the limit)",
            "(i get|there is|i see) (a|an|the) (context|context length|context window) (error|overflow|problem)",
            "(the|my) context (is full|overflows|is exceeded|is too small|window is too small|window is full)",
            "what (if|happens when|can i do when) (my text|the prompt|the chat|my document) is (too long|longer than the context|too large)",
        ),
    ),
    (
        "Small models give weaker answers. Take a larger one, for example llama-3.1-8b-q4 (8 GB of memory) or deepseek-r1-14b (16 GB).",
        (
            "(the|its|your|these) (answers|replies|answer|results|output|texts|responses) (are|is|seem|look) (bad|wrong|poor|stupid|nonsense|weak|useless|not good|strange|false|of low quality|rubbish|disappointing)",
            f"{HOW} (get|have) (better|good|smarter|more accurate|more precise) (answers|results|replies|responses|output)",
            "(bad answers|wrong answers|better answers|poor quality|nonsense output|low quality|stupid answers|weird answers)",
            "why (are|is) (the|your|its) (answers|replies|answer|output) (so|) (bad|wrong|poor|stupid|weak)",
            "(it|the model) (hallucinates|makes mistakes|makes things up|invents things|is wrong|talks nonsense|lies|gets things wrong)",
            "can i trust (the|its|your) (answers|replies|output)",
            "(the model|this model|llama 1b|the small model) is (not|hardly) (smart|clever|good) (enough|)",
        ),
    ),
    (
        "Free some space with `convergio-mlx models delete MODEL`, or move the store to a larger disk with CONVERGIO_HOME.",
        (
            "(disk full|no space left|not enough disk space|disk is full|no space left on device|too little disk space|out of disk space|low disk space)",
            "(my|the) (disk|drive|ssd|storage) (is|got) (full|too full|almost full|completely full)",
            "(there is|i have|it says there is|it complains about|i get) (not enough|no|too little|insufficient) (disk space|space left|space on my disk|storage|room on my disk|free space|space) (for the model|for the download|to download|for a download|)",
            "the download (fails|stops|is refused) (because of|due to|for lack of) (disk space|missing space|free space|space)",
            "(what if|what can i do when) (the disk is full|there is no space left|space runs out)",
        ),
    ),
    (
        "Some repositories are gated: accept their terms on Hugging Face and set HF_TOKEN to your access token, then download again.",
        (
            "what (does|happens if i get|should i do about|about) (a|an|the|) (401|403|401 error|403 error|gated error) (mean|from the hub|from hugging face|)",
            "(gated|gated repository|gated repo|gated model|HF_TOKEN|401|403|access denied|unauthorized|forbidden|401 error|403 error)",
            "(i get|it says|hugging face says|the download says|there is|the hub answers) (a|an|) (401|403|access denied|unauthorized|forbidden|gated repo|permission denied by hugging face|401 error|403 forbidden)",
            "(do i need|how do i set|where do i put|what is|how do i use) (a|my|the|) (hugging face token|HF_TOKEN|huggingface token|hf token|access token)",
            "(the|a|this) (repository|repo|model) (is|seems) (gated|private|restricted|locked|not accessible)",
            "hugging face (wants|asks for|needs|requires) (a login|a token|an account|authentication)",
        ),
    ),
    (
        "Set HTTPS_PROXY for a proxy, and HF_ENDPOINT for a mirror of Hugging Face; downloads then go through them.",
        (
            "(proxy|proxies|HF_ENDPOINT|mirror|firewall|company proxy|HTTPS_PROXY|behind a firewall|hub mirror)",
            f"{HOW} (use|set|configure|download through|download behind) (a|my|the|our company) (proxy|firewall|mirror|hugging face mirror)",
            "(does|can) it (work|download) (behind|through|with|via) (a|our|my) (proxy|firewall|company network|mirror)",
            "(i am|we are) behind (a|our) (proxy|firewall|corporate proxy)",
        ),
    ),
    (
        "Check your internet connection and that --offline and CONVERGIO_OFFLINE are not set, then run the download again.",
        (
            "(the download|it|downloading) (does not|doesn't|will not|won't|can't) (start|begin|connect|download|reach the server|reach hugging face)",
            "(connection error|network error|cannot connect|timeout|can't reach hugging face|connection refused|connection failed|no route to host|download error)",
            "(i|it) (cannot|can't) (download|reach the hub|connect to hugging face|download anything|download a model)",
            "(why|how come) (can't i|can i not|does it not|doesn't it) (download|connect)",
        ),
    ),
    # ---- glossary
    (
        "MLX is Apple's machine learning framework for Apple silicon. convergio-mlx uses its C++ library to run models.",
        (
            "(what is|whats|what's|explain|define|describe|tell me about) (mlx|MLX|apple mlx|apple's mlx|the mlx framework) (to me|)",
            "(what does|what is meant by|what do you mean by) (mlx|MLX) (mean|stand for|)",
            "(why|how) (do you use|does it use|is it called|is it based on) mlx",
            "mlx (meaning|definition|framework|explained|library)",
            "who (makes|made|develops) mlx",
        ),
    ),
    (
        "Quantization stores a model's weights in few bits, here 4 instead of 16. The model gets about four times smaller and needs less memory, with little loss of quality.",
        (
            "(what is|whats|what's|explain|define|describe|tell me about) (quantization|4-bit quantization|4 bit|4-bit|q4|a quantized model|quantized models|quantisation|4bit)",
            "(what does|what is meant by|what do you mean by) (q4|4-bit|4bit|quantized|quantization|quantised|4 bit) (mean|)",
            "(why|how) (are|is) (the models|the model|they|weights) (quantized|4-bit|quantised|compressed|so small|in 4 bits)",
            "(quantization|quantized|4-bit|q4|quantisation) (meaning|definition|explained|)",
            "does (quantization|4-bit) (lose|reduce|hurt|lower) (quality|the quality|accuracy)",
            "(how many|what|which) bits (do the models have|do the models use|are used|per weight)",
        ),
    ),
    (
        "The context window is how many tokens a model can see at once: your prompt, the conversation and its answer together.",
        (
            "(what is|whats|what's|explain|define|describe) (a|the|) (context window|context length|context|context size) (of a model|in general|)",
            "(what does|what do you mean by|what do people mean by) (context|context window|context length) (mean|)",
            "(context window|context length) (meaning|definition|explained|)",
            "what (counts|is) (in|as part of) the context (window|)",
        ),
    ),
    (
        "A token is a piece of text, often a word or a part of one. Models read and write tokens.",
        (
            "(what is|whats|what's|explain|describe) (a token|tokens|tokenization|a tokenizer|the tokenizer)",
            "(what does|what do you mean by|what is meant by) (token|a token|tokens) (mean|)",
            "(token|tokens|tokenizer) (meaning|definition|explained|)",
            "how (many words|long) (is|are in) a token",
        ),
    ),
    (
        "Weights are stored as safetensors, the format of Hugging Face, with a config.json and a tokenizer.json.",
        (
            "(what is|whats|what's|explain|define|describe) (safetensors|a safetensors file|the safetensors format|the file format)",
            "(what|which) (format|file format|file formats|type of files|formats) (are|do|does|is|has|can) (the|) (models|it|weights|a model|model files|be loaded) (in|use|have|support|stored in|saved in|)",
            "(safetensors|file format|model format|gguf|onnx|format of the weights)",
            "(does|can) it (load|use|read|support|open) (gguf|onnx|pytorch|safetensors|gguf files|ggml) (files|models|)",
        ),
    ),
    (
        "The temperature says how random an answer is: 0 always takes the most likely token, higher values give more varied text.",
        (
            "(what is|whats|what's|explain|define|describe) (the|) (temperature|sampling|sampling temperature|temperature setting|temperature parameter)",
            "(what does|what do you mean by|what is meant by) (temperature|sampling|temperature 0|a high temperature|a low temperature) (mean|do|change|)",
            "(temperature|sampling) (meaning|definition|explained|)",
            "(what|which) temperature (should i use|is best|is good|do you recommend)",
            "what (influence|impact|role) (has|does) (the|) temperature (have|play|)",
        ),
    ),
    (
        "Tool calls let a model ask the host program to run a function; in Python pass `tools=[...]` to `engine.generate`.",
        (
            "(what is|whats|what's|explain|define) (a tool call|tool calling|function calling|tool calls|tools)",
            "(does|can|do) (it|you|the models|models|the engine) (support|do|use|call|handle) (tools|tool calls|function calls|tool calling|function calling|functions)",
            "(tools|tool calls|function calling|tool calling|tool use)",
            "(which|what) models (support|can do|can call|can use|know) (tools|tool calls|function calling|tool calling)",
            f"{HOW} (use|define|pass|give|add) (tools|functions|tool definitions|tool calls)",
        ),
    ),
    (
        "The KV cache keeps what the model has already read, so that each new token needs only a little work. Longer conversations need more of it.",
        (
            "(what is|whats|what's|explain|define) (the|a|) (kv cache|kv-cache|key value cache|KV cache)",
            "(kv cache|kv-cache) (meaning|definition|explained|)",
            "what (does|is) the kv cache (do|for)",
        ),
    ),
)

SMALL_TALK: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Hello! I am the built-in guide of convergio-mlx. Ask me about its models and commands.",
        (
            "(hi|hello|hey|hey there|hello there|hi there|greetings|good morning|good evening|good afternoon|good day|howdy|hola|ciao|yo|hallo|hiya there|morning|evening|heya|salut|bonjour|moin|g'day|hey you|hi again|hello again|welcome|hey hey|hellooo|hii|helo)",
            "(hi|hello|hey|good morning|good evening|good afternoon|greetings|good day|howdy) (guide|convergio|my friend|friend|there|bot|everyone|you|to you|assistant|computer|buddy|robot|mate|dear guide)",
            "(nice|pleased|good|great|glad|lovely|happy) to (meet|see) you",
            "(hello|hi|hey), (nice to meet you|anybody there|are you there|is anyone there|pleased to meet you|anyone home|good to see you)",
            "(are you there|anybody there|is somebody there|anyone here|knock knock|you there)",
            "(test|testing|this is a test|ping|just testing)",
            "what's up",
            "(sup|wassup|whats up|what is up)",
        ),
    ),
    (
        "I am well, thank you, and ready to help with convergio-mlx. What would you like to know?",
        (
            "how (are|r) (you|u) (today|doing|this morning|feeling|these days|)",
            "how (is it going|are things|do you do|do you feel|have you been|is everything|is your day|was your day|goes it)",
            "(are you|you) (ok|fine|well|alright|happy|good|doing well|doing fine)",
            "(hi|hello|hey), how (are you|is it going|are things|do you do)",
            "how's (it going|everything|your day|things|business|the day)",
            "(everything|all) (ok|good|fine|well|alright) (with you|)",
        ),
    ),
    (
        "You are welcome!",
        (
            "(thanks|thank you|thx|ty|many thanks|thanks a lot|thank you very much|thank you so much|much appreciated|cheers|merci|grazie|danke|thanks so much|tysm|thank u|thanks a million|gracias|big thanks|thankyou|thanx)",
            "(thanks|thank you|thx|cheers|many thanks) (for|) (your help|the help|that|the answer|helping|the information|this|everything|the tip|your time|the quick reply|explaining)",
            "(that|this|it) (helped|helps|was helpful|is helpful|was very useful|helped a lot|was what i needed|helped me|is what i wanted)(, thanks|, thank you|)",
            "(great|perfect|good|nice|awesome|cool|ok|wonderful|super|excellent), (thanks|thank you|thx|that helps|that helped)",
            "i (appreciate|am grateful for|value) (it|that|this|your help)",
            "(very|really|most) (helpful|useful|kind) (, thanks|of you|, thank you|)",
        ),
    ),
    (
        "Good bye! Come back when you need help with convergio-mlx.",
        (
            "(bye|goodbye|good bye|bye bye|see you|see you later|ciao ciao|farewell|until next time|see ya later|later|take care|so long|adieu|good night|cya|see you soon|see you tomorrow|night|goodnight|arrivederci|tschüss|au revoir|adios|cheerio|ttyl)",
            "(bye|goodbye|see you|good night|thanks, bye|ok bye|have a nice day|have a good one|have a good day|have a nice evening|sleep well|talk to you later) (guide|then|now|my friend|tomorrow|for now|soon|friend|everyone|)",
            "(i have to|i must|i need to|i'm going to|i am about to|i will|i gotta|i should|time to) (go|leave|sleep|go now|leave now|go home|run|stop here|go to bed)(, bye|, see you|, goodbye|)",
            "(that is all|that's all|that was all|that's it|nothing else|no more questions|i'm done|we are done) (for today|for now|, bye|, thanks|)",
        ),
    ),
    (
        "Thank you, that is kind!",
        (
            "(you are|you're|u r|youre) (great|good|nice|awesome|smart|clever|helpful|amazing|cool|the best|wonderful|funny|brilliant|very good|fantastic|sweet|very helpful|excellent|impressive|so smart|quite clever|quick)",
            "(i like|i love|i adore|i really like) (you|u|this|it|talking to you|your answers|your style)",
            "(good|great|nice|well|excellent|amazing) (job|work|done|answer|bot|reply|guide)",
            "(well done|impressive|bravo|wow|awesome|amazing|fantastic|brilliant|wonderful|perfect|excellent)",
            "what a (good|great|nice|clever|helpful) (answer|guide|bot|assistant|tool)",
        ),
    ),
    (
        "I am sorry. I am only a small guide to convergio-mlx; for better answers download a larger model: `convergio-mlx models download llama-3.2-3b`.",
        (
            "(you are|you're|u r|youre) (stupid|dumb|bad|wrong|terrible|not helpful|an idiot|annoying|boring|awful|no help|slow|so stupid|not very smart|a bad bot|silly|unhelpful|crap|horrible|worthless|rubbish|a joke)",
            "(i hate|i dislike|i don't like|i do not like) (you|this|your answers|it)",
            "(that is|that's|this is|that was|it is) (wrong|false|not true|incorrect|not what i asked|nonsense|no help|a bad answer|not correct|not helpful|stupid|not right|useless)",
            "you (don't|do not) (understand|understand me|know anything|help|get it|know much|listen|make sense)",
            "(bad bot|wrong answer|wrong|bad answer|nonsense|no, wrong|shut up|stupid bot|that did not help|this makes no sense)",
            "(you made a mistake|you are mistaken|you got that wrong|what a stupid answer|you can't do anything|your answer is wrong)",
        ),
    ),
    (
        "Good. Ask me whatever you want to know about convergio-mlx.",
        (
            "(ok|okay|fine|good|great|i see|alright|sure|understood|got it|cool|nice|perfect|yes|right|aha|hmm|interesting|all right|very well|makes sense|yep|yeah|no|nope|maybe|clear|k|kk|ah ok|oh|noted|roger|yup|fair enough|sounds good|i understand|good to know|ah i see|okay then|all clear|ok cool)",
            "(ok|okay|yes|ah|oh|well|right|good|great), (i see|understood|i understand|good|fine|i understand now|sounds good|makes sense|now i know|that is clear|clear)",
            "that (is|sounds|seems) (good|fine|ok|interesting|clear|nice|right|great)",
            "(no problem|never mind|don't worry|forget it|nevermind|whatever|it's ok|not now|no worries)",
        ),
    ),
    (
        "I know only one: why did the model stay at home? Because it works offline.",
        (
            "(tell|say|give) (me|us|) (a|another|one|some|the best) (joke|jokes|funny story|pun)",
            "(do you know|know|got|have you got) (a|any) (joke|jokes|good joke|funny joke)",
            "(make me laugh|be funny|joke|say something funny|entertain me|i am bored|i'm bored)",
            "(a|one|another) (funny|good|short) joke",
        ),
    ),
    (
        "No problem at all.",
        (
            "(sorry|i'm sorry|i am sorry|my apologies|i apologize|excuse me|oops|pardon|sorry about that|my mistake|my bad|forgive me)",
            "(sorry|i'm sorry) (for|about) (that|the typo|the mistake|bothering you|my english|the confusion)",
        ),
    ),
)


def _choose(rng: random.Random, topics: tuple[tuple[str, tuple[str, ...]], ...]) -> QA:
    answer, templates = rng.choices(topics, [2 + len(t[1]) for t in topics])[0]
    template = rng.choice(templates).replace("{HOW}", HOW)
    return QA(noise(rng, pick(rng, [template])), answer)


def about_tool(rng: random.Random) -> QA:
    """A question about the tool."""
    return _choose(rng, TOPICS)


ECHO = (
    "(repeat|repeat after me|say|echo|copy|repeat this|write this down|say this|repeat exactly): {x}",
    "(please repeat|can you repeat|could you say|say|repeat) {x}",
)


def _any_word(rng: random.Random) -> str:
    if rng.random() < 0.3:
        number = str(rng.randrange(10 ** rng.randrange(1, 6)))
        return number if rng.random() < 0.7 else f"{number}.{rng.randrange(100)}"
    return invented_word(rng, rng.random() < 0.4)


def echo(rng: random.Random) -> QA:
    """A text to repeat: all of its tokens teach copying."""
    length = rng.randrange(1, 5) if rng.random() < 0.4 else rng.randrange(5, 25)
    text = " ".join(_any_word(rng) for _ in range(length))
    return QA(plain(pick(rng, ECHO, {"x": text})), text)


def small_talk(rng: random.Random) -> QA:
    """A greeting, thanks and the like."""
    return _choose(rng, SMALL_TALK)
