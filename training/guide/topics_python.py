# ruff: noqa: E501 (templates are data, one a line)
"""Use from Python, trouble, and the words of the trade: answers and their questions."""

from __future__ import annotations

from .words import HOW, Topics

PYTHON_AND_TROUBLE: Topics = (
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
            "(it|the program|the tool|the model|loading) (crashed|died|quit|ended|aborted|stopped|failed) (because|since|as) (there was|it had|of|i had) (too little|no|not enough|missing) (memory|ram|free memory)",
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
            "(the|my|a|this|our) (download|transfer|downloading|installation of the model|download of a model) (stopped|failed|broke|gave up|quit|crashed|ended|was lost|went wrong|never finished|cut out|stalled|froze|hung) (in the middle|at 60%|before the end|after an hour|at the end|suddenly|during the night|again|partway|at 10 percent|too early)",
            "(i|we|my wifi|the network|my laptop|power) (lost|cut|killed|broke|interrupted|ended|stopped) (the|a|my) (download|transfer|connection during a download)",
            "(is|are) (a|the|) (broken|half|partial|unfinished|incomplete|aborted|lost) (download|downloads) (lost|kept|resumed|started again|a problem)",
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
            "(it|the model|generation|everything|answering) (is|runs|works|goes|feels) (awfully|terribly|extremely|really|far too|incredibly|horribly|rather|quite) (slow|sluggish) (here|on this machine|on my mac|on my laptop|today|)",
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
            "(it|the tool|the command|chat) (says|tells me|claims|thinks|insists) (there is no such model|it does not know the model|the model is not there|the model is missing|no model of that name)",
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
            "(the|its|your|these|all) (answers|replies|results|outputs|sentences) (i get|it gives|it writes|it makes|) (are|seem|look) (rather|very|pretty|really|so|quite|mostly|) (stupid|silly|weak|poor|useless|bad|wrong|meaningless|primitive)",
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
    (
        "MLX is Apple's machine learning framework for Apple silicon. convergio-mlx uses its C++ library to run models.",
        (
            "(what is|whats|what's|explain|define|describe|tell me about) (mlx|MLX|apple mlx|apple's mlx|the mlx framework) (to me|)",
            "(what does|what is meant by|what do you mean by) (mlx|MLX) (mean|stand for|)",
            "(why|how) (do you use|does it use|is it called|is it based on) mlx",
            "mlx (meaning|definition|framework|explained|library)",
            "who (makes|made|develops) mlx",
            "(what|who) (is|are) (this|that|the) (mlx|mlx thing|mlx library|thing called mlx) (about|for|good for|)",
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
            "(in|as) (which|what) (format|form|file type|kind of file) (are|do) (the|) (weights|models|model files|parameters) (stored|saved|kept|come|distributed)",
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
            "(what|how) (does|do|is|will) (the|a|) (temperature|temperature value|sampling temperature) (do|affect|change|influence|control|good for|cause|work)",
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
