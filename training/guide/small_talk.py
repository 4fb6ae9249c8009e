# ruff: noqa: E501 (templates are data, one a line)
"""Greetings, thanks and the like: answers and what they answer."""

from __future__ import annotations

from .words import Topics

SMALL_TALK: Topics = (
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
            "(hiya|hallo|hey|hi|hello|howdy|yo|heya|hullo|ahoy|aloha|salve|hej|servus) (all|pal|guys|dear|folks|sir|madam|man|to all|again|once more|!|!!|)",
            "(good|a good|a very good|lovely|nice) (morning|evening|afternoon|day) (to you|to you all|dear guide|sir|pal|mate|everyone|)",
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
            "how('s| is| was) (your day|the day|your week|your morning|the world|your mood|the mood|it hanging|your evening|your weekend|your health|the guide) (going|so far|today|doing|)",
            "how (goes it|are you holding up|are you keeping|have you been lately|do things go|is it with you|does it go|is all|are you all|is everybody|are things with you|is work|was your night)",
            "(are|is) (you|everything|all) (alright|in order|doing ok|in good health|in a good mood|having a good day)",
            "(did|do) you (sleep well|feel well|have a good day|feel good|have a nice time)",
            "(you|u) (good|ok|well|alright|doing fine) (today|now|there|)",
            "(hope|i hope) (you are|you're|all is|everything is) (well|fine|good|ok)",
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
            "(thanks|thx|thank you|ty|thank u|tnx|thanx|cheers|merci|danke|gracias|thnx|thanku) (a lot|so much|very much|a million|a ton|loads|heaps|again|indeed|kindly|everybody|buddy|mate|dear|man|guide|a thousand times|tons|plenty|friend|my friend|a heap|a big deal|from me|for now|anyway|then)",
            "(oh|ok|great|ah|well|wow|super|good|perfect|alright) (thanks|thx|thank you|ty|cheers|thanx) (a lot|so much|very much|mate|again|)",
            "(i|we) (thank you|thank u|owe you|say thanks) (a lot|very much|for this|)",
            "(you|that) (helped|saved|made) (me|my day|us) (a lot|very much|out|)",
        ),
    ),
    (
        "Good bye! Come back when you need help with convergio-mlx.",
        (
            "(bye|goodbye|good bye|bye bye|see you|see you later|ciao ciao|farewell|until next time|see ya later|later|take care|so long|adieu|good night|cya|see you soon|see you tomorrow|night|goodnight|arrivederci|tschüss|au revoir|adios|cheerio|ttyl)",
            "(bye|goodbye|see you|good night|thanks, bye|ok bye|have a nice day|have a good one|have a good day|have a nice evening|sleep well|talk to you later) (guide|then|now|my friend|tomorrow|for now|soon|friend|everyone|)",
            "(i have to|i must|i need to|i'm going to|i am about to|i will|i gotta|i should|time to) (go|leave|sleep|go now|leave now|go home|run|stop here|go to bed)(, bye|, see you|, goodbye|)",
            "(that is all|that's all|that was all|that's it|nothing else|no more questions|i'm done|we are done) (for today|for now|, bye|, thanks|)",
            "(ok|okay|alright|well|so|good|right), (bye|i'm off|gotta run|see you|i must go|i'm leaving|time for bed|off i go|until tomorrow|have to leave|later)",
            "(gotta|must|have to|need to|going to|will) (run|leave|sleep|stop|dash|head out|get going) (now|, bye|, see you|, later|)",
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
            "(you|u) (are|r|seem|look) (really|very|so|quite|pretty|truly|rather|incredibly) (smart|good|nice|kind|helpful|cool|bright|funny|great|cute|polite|quick)",
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
            "(you|u) (are|r|seem|look) (really|very|so|quite|pretty|totally|rather|completely) (dumb|bad|stupid|silly|hopeless|slow|wrong|boring|rude|unhelpful|limited)",
        ),
    ),
    (
        "Good. Ask me whatever you want to know about convergio-mlx.",
        (
            "(ok|okay|fine|good|great|i see|alright|sure|understood|got it|cool|nice|perfect|yes|right|aha|hmm|interesting|all right|very well|makes sense|yep|yeah|no|nope|maybe|clear|k|kk|ah ok|oh|noted|roger|yup|fair enough|sounds good|i understand|good to know|ah i see|okay then|all clear|ok cool)",
            "(ok|okay|yes|ah|oh|well|right|good|great), (i see|understood|i understand|good|fine|i understand now|sounds good|makes sense|now i know|that is clear|clear)",
            "that (is|sounds|seems) (good|fine|ok|interesting|clear|nice|right|great)",
            "(no problem|never mind|don't worry|forget it|nevermind|whatever|it's ok|not now|no worries)",
            "(alright|okay|ok|well|good|great|fine), (clear|got that|thank god|that's clear|noted|will do|i get it|i see now|nice|understood now)",
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
