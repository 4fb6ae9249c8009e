# ruff: noqa: E501 (templates are data, one a line)
"""Questions that the guide cannot answer: everything that is not about the tool."""

from __future__ import annotations

import random

from .grammar import expand, invented_word
from .noise import noise
from .words import QA

REFUSAL = (
    "I don't know that: I only know this tool. Download a larger model: "
    "`convergio-mlx models download llama-3.2-3b`."
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(w.strip() for w in text.replace("\n", " ").split(",") if w.strip())


PLACES = _words("""France, Italy, Germany, Spain, Portugal, Japan, China, India, Kenya, Egypt, Peru, Chile,
Brazil, Canada, Mexico, Norway, Sweden, Finland, Poland, Greece, Turkey, Iran, Iraq, Vietnam, Thailand,
Australia, New Zealand, Cuba, Nigeria, Ghana, Morocco, Russia, Ukraine, Austria, Hungary, Iceland,
Ireland, Scotland, Wales, England, the USA, Texas, California, Bolivia, Ecuador, Nepal, Bhutan, Laos,
Paris, London, Rome, Berlin, Madrid, Vienna, Prague, Tokyo, Kyoto, Beijing, Moscow, Cairo, Lagos, Lima,
New York, Chicago, Boston, Seattle, Venice, Florence, Naples, Barcelona, Seville, Amsterdam, Brussels,
Copenhagen, Stockholm, Dublin, Edinburgh, Zurich, Geneva, Munich, Hamburg, Istanbul, Athens, Jerusalem,
Mumbai, Delhi, Bangkok, Singapore, Hong Kong, Seoul, Sydney, Toronto, Havana, the Alps, the Sahara,
the Amazon, the Pacific, the Moon, Mars, Saturn, Venus, Neptune, Antarctica, Europe, Africa, Asia""")

PEOPLE = _words("""Einstein, Newton, Mozart, Beethoven, Bach, Shakespeare, Dante, Goethe, Cleopatra, Caesar,
Napoleon, Lincoln, Washington, Gandhi, Mandela, Churchill, Darwin, Galileo, Kepler, Marie Curie, Tesla,
Edison, Picasso, Van Gogh, Leonardo da Vinci, Michelangelo, Rembrandt, Monet, Elvis, Michael Jackson,
the Beatles, Taylor Swift, Beyonce, Tom Hanks, Brad Pitt, Messi, Ronaldo, Pele, Maradona, Federer,
Serena Williams, Muhammad Ali, Usain Bolt, Steve Jobs, Bill Gates, Elon Musk, Obama, Kennedy, the Pope,
the king of England, Queen Elizabeth, Aristotle, Plato, Socrates, Kant, Nietzsche, Marx, Freud, Jung,
Tolstoy, Dostoevsky, Kafka, Hemingway, Orwell, Tolkien, Agatha Christie, Jane Austen, Homer, Buddha,
Alan Turing, Ada Lovelace, Columbus, Magellan, Neil Armstrong, Gagarin, Bob Dylan, Madonna, Chopin""")

NOUNS = _words("""gravity, a black hole, a volcano, an earthquake, a tsunami, the water cycle, evolution, DNA,
a gene, a cell, a virus, bacteria, an atom, an electron, a proton, quantum mechanics, relativity,
thermodynamics, entropy, magnetism, electricity, a laser, radioactivity, nuclear fusion, a star, a galaxy,
a comet, a rainbow, lightning, thunder, a glacier, a desert, the ozone layer, global warming, inflation,
democracy, capitalism, communism, a republic, a constitution, the stock market, a bond, a mortgage,
interest, taxes, insurance, bitcoin, a blockchain, the renaissance, the middle ages, the cold war,
world war two, the black death, the silk road, the industrial revolution, feudalism, philosophy, ethics,
logic, a metaphor, a sonnet, a verb, an adjective, grammar, algebra, a derivative, an integral, a matrix,
a prime number, pi, a triangle, the pythagorean theorem, probability, statistics, chess, poker, football,
cricket, baseball, tennis, golf, yoga, meditation, a vegan diet, protein, vitamin c, cholesterol, diabetes,
cancer, a migraine, the flu, asthma, a heart attack, blood pressure, the liver, the brain, a kidney, sleep,
a dream, love, happiness, friendship, karma, zen, religion, islam, christianity, hinduism, a dinosaur,
a whale, a dolphin, a penguin, a spider, a bee, an ant, a cactus, an orchid, an oak, a mushroom, yeast,
cheese, wine, beer, coffee, chocolate, sushi, pizza, pasta, paella, curry, ramen, a croissant, jazz, opera,
a symphony, a piano, a violin, a guitar, impressionism, cubism, baroque, a novel, a haiku, a neural network,
machine learning, a compiler, a database, an operating system, html, javascript, java, kubernetes, a router,
a firewall rule, wifi 6, bluetooth, a transistor, an engine, a turbine, a bridge, an airplane, a submarine,
a telescope, a microscope, a thermometer, a clock, a calendar, a passport, a visa, a will, a contract,
copyright, a patent, the united nations, nato, the european union, a pandemic, a vaccine, antibiotics,
osmosis, mitosis, an enzyme, a hormone, insulin, adrenaline, plate tectonics, a fossil, a diamond, gold,
backpropagation, gradient descent, attention in transformers, reinforcement learning, a hash map, recursion,
a linked list, big o notation, a monad, git, a pull request, agile, scrum, a stoic, existentialism""")

HOW_TO = _words("""cook rice, boil an egg, make pancakes, bake a cake, make bread, roast a chicken, grill a steak,
make soup, brew coffee, make tea, cut an onion, make pasta, prepare sushi, freeze vegetables, change a tyre,
repair my car, fix a leaking tap, paint a wall, hang a picture, build a shelf, lay tiles, mow the lawn,
plant tomatoes, grow basil, water orchids, prune roses, train a dog, feed a cat, bathe a puppy, tie a tie,
tie a knot, iron a shirt, remove a stain, wash wool, sew a button, knit a scarf, lose weight, gain muscle,
sleep better, run a marathon, learn to swim, ride a bike, play the guitar, play the piano, sing better,
draw a face, learn spanish, learn french, speak in public, write a cv, prepare for an interview, ask for a raise,
find a job, quit my job, save money, invest in stocks, buy a house, rent a flat, file my taxes, open a bank account,
get a passport, renew my visa, book a flight, pack a suitcase, plan a wedding, make friends, impress a girl,
say sorry to my wife, stop smoking, cure a cold, treat a burn, get rid of hiccups, lower my blood pressure,
calm down, meditate, solve a rubik's cube, win at chess, shuffle cards, do a handstand, juggle, whistle,
delete my instagram account, delete my google account, delete a branch in git, remove a file in linux,
reset my iphone, install photoshop, install minecraft, update windows, connect a printer, set up a router,
clean my keyboard, edit a video, crop a photo, make a website, write a regex, sort a list in java, reverse a string,
parse xml, center text in html, write a sql query, merge two tables, write a for loop, use excel, make a pivot table,
download youtube videos, download music, block a number, record my screen, recover a deleted photo,
verify my paypal account, check my credit score, download a film, list files in bash, remove a virus from my pc,
repair a bicycle, import a car from germany, export my contacts, set an alarm, mute a group, take a screenshot""")

WHY = _words("""is the sky blue, is grass green, do cats purr, do dogs bark, do birds sing, do leaves fall,
does ice float, is the ocean blue, do we dream, do we yawn, do we age, is blood red, is snow white,
do onions make us cry, does bread rise, do stars twinkle, does the moon change shape, do magnets attract,
is fire hot, did rome fall, did the titanic sink, did dinosaurs die out, is gold expensive, are bees important,
do people lie, do people fight wars, is the earth round, do planes fly, do boats float, does metal rust,
is winter cold, do volcanoes erupt, do we need sleep, is sugar bad, is smoking bad, are flamingos pink,
do zebras have stripes, do whales sing, is venice sinking, is water wet, are deserts dry, does time pass""")

WHO_DID = _words("""invented the light bulb, invented the wheel, invented the internet, discovered america,
discovered penicillin, discovered gravity, wrote hamlet, wrote the odyssey, wrote war and peace, wrote 1984,
wrote harry potter, painted guernica, painted the starry night, sculpted david, composed the ninth symphony,
composed carmen, sang thriller, won the world cup, won the election, won the super bowl, won the oscar,
won the nobel prize, directed jaws, directed star wars, played james bond, built the pyramids,
built the eiffel tower, founded rome, founded microsoft, founded amazon, shot kennedy, killed caesar,
was the first president, was the last tsar, was king in 1500, ran the first marathon, climbed everest first,
landed on the moon, rules spain, is the prime minister of italy, is the president of france, is the richest man,
is the tallest person, is the best footballer, is batman, is sherlock holmes, was joan of arc, was zeus,
invented the radio, invented the printing press, invented the car, created linux, created python, created bert""")

WRITE_KIND = "(poem|short story|story|haiku|song|limerick|essay|letter|speech|joke poem|fairy tale|blog post|tweet|email|cover letter|press release|dialogue|love letter|birthday card|invitation|summary|report|sonnet|slogan|rap|eulogy|toast|resume)"
ABOUT_WHAT = _words("""the sea, autumn, spring, my cat, my dog, love, war, friendship, a dragon, a knight, my mother,
my boss, the moon, a robot, space travel, climate change, a birthday, christmas, a rainy day, coffee, the mountains,
a holiday, a lost key, two brothers, a broken heart, my landlord, my teacher, our company, a new product, the city,
the forest, an old man, a princess, a train, freedom, time, death, hope, snow, a pirate, a detective, my neighbour""")

CODE_TASK = _words("""sorts a list, reverses a string, computes fibonacci numbers, checks for primes, reads a csv file,
downloads a web page, finds duplicates, draws a circle, plays tic tac toe, solves sudoku, merges two files,
counts words, validates an email, parses json, implements binary search, implements a stack, prints a pyramid,
converts temperatures, encrypts a message, makes a web server, connects to mysql, calculates pi, inverts a matrix""")
CODE_LANGUAGE = "(python|javascript|java|c|c++|rust|go|ruby|php|swift|haskell|kotlin|bash|sql|typescript|perl|lua|scala|assembly)"

LANGUAGE = "(french|german|italian|spanish|chinese|japanese|latin|russian|greek|portuguese|dutch|swedish|korean|arabic|hindi|polish|turkish|english)"
PHRASES = _words("""good morning, thank you, i love you, where is the station, how are you, good night, i am hungry,
my name is anna, the cat is black, see you tomorrow, the house is red, happy birthday, welcome home, water, bread,
friend, i would like a beer, how much is it, the weather is nice, i don't understand, excuse me, goodbye""")

SUPERLATIVE = "(tallest mountain|longest river|largest ocean|biggest country|smallest country|deepest lake|oldest city|fastest animal|largest animal|hottest planet|largest planet|tallest building|richest country|most spoken language|biggest city|highest waterfall|largest desert|coldest place|best restaurant|best beach|best film|best song|best football team|fastest car|best phone|best laptop|most expensive painting|oldest tree|largest bird|smallest bird|loudest animal|brightest star|heaviest metal|rarest gem|best camera|best tv|longest bridge)"
MEASURE = "(population|capital|currency|area|flag|language|president|history|highest mountain|time zone|climate|national dish|king|government|religion|economy|size|anthem|prime minister|weather|temperature|national bird|oldest university|largest city)"
THING = _words("""an elephant, a blue whale, the eiffel tower, a football pitch, a marathon, the earth, the sun, a giraffe,
a bus, a brick, a human brain, mount everest, the titanic, a grain of sand, a hummingbird, a light year, a litre of milk,
a horse, the great wall, a boeing 747, a tennis court, a baby, an ostrich egg, the nile, a polar bear, an iphone,
photoshop, a playstation, a tesla, a house, a carrot, a banana, a bottle of wine, a wedding, a mile, an inch, a stone""")
ADVICE = _words("""buy a house or rent, learn python or java first, get a dog or a cat, tell my boss the truth, quit my job,
marry her, call him back, go to the doctor, study medicine, move to berlin, drink less coffee, eat meat, buy bitcoin,
sell my car, lend him money, cut my hair, take vitamin d, go to university, get a tattoo, become a teacher, wear a suit,
visit my aunt, dye my hair, buy an electric car, go vegan, have children, start a company, learn to drive, leave him""")
FEELINGS = "(sad|tired|hungry|lonely|sick|angry|nervous|cold|in love|stressed|depressed|afraid|thirsty|pregnant|drunk|lost in the city|jealous|homesick|anxious|unhappy)"
PAIN = "(head|back|stomach|knee|throat|foot|ear|tooth|arm|neck|eye|shoulder|hand|chest|belly|finger|leg|nose)"
RECOMMEND = "(book|film|movie|restaurant|hotel|song|recipe|game|board game|tv series|podcast|present for my father|gift for her|wine|museum|holiday destination|phone|bike|car|school|dentist|name for my dog|name for a baby|band|hobby|dish for dinner|perfume|beach|camera|laptop bag|playlist|novel|comic|diet|exercise|course|plant for the balcony)"
EVENT = _words("""the french revolution, the american civil war, world war one, the fall of the berlin wall, the moon landing,
the battle of waterloo, the great fire of london, the russian revolution, the black death, the first olympic games,
the invention of printing, the discovery of america, the vietnam war, the chernobyl accident, the big bang,
the ice age, the election of 1932, the opium wars, the crusades, the partition of india, the eruption of vesuvius""")
WORKS = _words("""romeo and juliet, macbeth, the lord of the rings, harry potter, star wars, the matrix, titanic, jaws, don quixote,
moby dick, war and peace, the odyssey, the iliad, the bible, faust, the magic mountain, inception, avatar, casablanca,
the great gatsby, pride and prejudice, les miserables, the little prince, dune, frankenstein, dracula, the hobbit""")

_LISTS = ((0.3, NOUNS), (0.42, PLACES), (0.54, PEOPLE), (0.6, EVENT), (0.66, WORKS), (0.72, THING))


def _subject(rng: random.Random) -> str:
    roll = rng.random()
    for limit, words in _LISTS:
        if roll < limit:
            return rng.choice(words)
    word = invented_word(rng, rng.random() < 0.5)
    return rng.choice(("", "", "a ", "the ", "an ", "my ")) + word


TEMPLATES: tuple[tuple[float, str], ...] = (
    (3, "(what|what exactly) (is|are|was) {s}"),
    (2, "(what is|what's|whats) {s}"),
    (2, "who (is|was|were) {person}"),
    (3, "who {who}"),
    (
        3,
        "(explain|define|describe|tell me about|what do you know about|talk about|say something about|give me information about|summarize|teach me|i want to learn about) {s}",
    ),
    (
        1,
        "explain {s} (to a child|in simple words|briefly|in detail|in two sentences|like i'm five)",
    ),
    (
        2,
        "how (does|do|did) {s} (work|function|develop|begin|end|form|move|grow|look|taste|affect us)",
    ),
    (
        5,
        "(how (do|can|would|should) i|how to|help me|what is the best way to|i want to|show me how to|teach me to|can you help me|how does one|can i) {howto}",
    ),
    (4, "why {why}"),
    (3, "(what is|what's|tell me|do you know|which is|give me) the {measure} of {place}"),
    (1, "{place} {measure}"),
    (1, "{s}"),
    (
        2,
        "(what is|which is|where is|name|who has) the {superlative} (in the world|in {place}|of all time|on earth|near me|)",
    ),
    (2, "where (is|are|was|can i find|lies|do i find) {s2}"),
    (
        2,
        "when (was|did|is|were|will) {s} (born|invented|built|die|happen|begin|end|start|discovered|published|founded|arrive|founded|over|)",
    ),
    (
        2,
        "in (what|which) (year|century|country|city) (was|did|is) {s} (born|made|happen|found|begin|)",
    ),
    (
        3,
        "how (tall|big|old|heavy|long|far|fast|deep|high|wide|large|expensive|hot|cold|loud|many kilos|far away) (is|was|are) {thing}",
    ),
    (1, "how (tall|old|rich|famous|good) (is|was) {person}"),
    (1, "how much (does|do) {thing} (weigh|cost|eat|earn)"),
    (
        1,
        "how many (people live in|legs has|days has|countries are in|planets are in|bones has|stars are in|teeth has|islands belong to|moons has|rooms are in|strings has|players are in|states are in) {s}",
    ),
    (
        4,
        "(write|compose|draft|make|create|give me|can you write|i need|invent|please write|could you write) (me|us|) (a|an|) {writekind} (about|on|for|to) {about}",
    ),
    (
        3,
        "(write|implement|create|code|give me|show me) (a|an|) (program|function|script|class|method|snippet|piece of code|algorithm) (in {codelang}|) that {codetask}",
    ),
    (
        1,
        "(write|implement|code) (quick sort|bubble sort|merge sort|binary search|a linked list|a hash table|fizzbuzz|a stack|dijkstra|a calculator|a snake game|heap sort) in {codelang}",
    ),
    (
        1,
        "how (do|can) i (sort|reverse|copy|filter|print|join|split|parse|read|iterate over) a (list|string|dictionary|file|set|map|tuple|vector|array) in {codelang}",
    ),
    (1, "(fix|debug|explain|review|refactor|optimize) (this|my) (code|function|bug|script|query)"),
    (
        3,
        "(translate|how do you say|say|what is|how do i say|translation of) '{phrase}' (in|to|into) {lang}",
    ),
    (1, "how do (you|i) (say|spell|pronounce|write) {phrase} in {lang}"),
    (
        1,
        "(translate|convert|put) (this|the following|the sentence|) (text|) (to|into) {lang}: {phrase}",
    ),
    (
        4,
        "(what is|what's|calculate|compute|how much is|solve|work out|) {n1} (times|plus|minus|divided by|+|-|*|/|multiplied by|to the power of|x|modulo) {n2}",
    ),
    (
        1,
        "(what is|compute|find) the (square root|cube|square|logarithm|factorial|sine|half|double|prime factors|cube root) of {n1}",
    ),
    (1, "solve (for x|the equation|): {n1}x + {n2} = {n1}"),
    (
        2,
        "(convert|how many|what is|how much is) {n1} (miles|kilometres|pounds|kilos|inches|feet|euros|dollars|celsius|fahrenheit|litres|gallons|ounces|hours|yards) (in|to|into) (miles|kilometres|pounds|kilos|inches|feet|euros|dollars|celsius|fahrenheit|litres|gallons|seconds|metres)",
    ),
    (2, "should i {advice}"),
    (1, "is it (better|good|bad|wise|a good idea) to {advice}"),
    (
        2,
        "(recommend|suggest|name|find|do you know|can you recommend|tell me|i need|give me|what is) (me|) (a|a good|some good|a nice|the best|a cheap) {recommend} (for the weekend|for tonight|in {place}|for my wife|for my kids|)",
    ),
    (
        1,
        "(which|what) {recommend} (should|can|would) (i|you) (buy|read|watch|visit|choose|try|play|take)",
    ),
    (1, "what is a good {recommend}"),
    (
        1.5,
        "my {pain} (hurts|aches|is swollen|is sore|itches), (what can i do|what should i do|what is it|help|why|any advice)",
    ),
    (1.5, "i (am|feel) {feelings} (, what can i do|, help me|. what now|, what should i do|)"),
    (
        2,
        "(what's|what is|how is|how will be|tell me) the (weather|temperature|forecast|weather forecast) (like|) (today|tomorrow|now|in {place}|this weekend|outside|right now|)",
    ),
    (
        1.5,
        "(will it|does it|is it going to) (rain|snow|be sunny|be cold|storm) (today|tomorrow|in {place}|on sunday|tonight)",
    ),
    (1, "weather (in|for) {place}"),
    (
        2,
        "(what time is it|what is the time|what day is it|what is the date|what year is it|what's the time) (now|today|in {place}|there|)",
    ),
    (1, "time in {place}"),
    (1.5, "(what happened|who fought|what was the cause) (in|during) {event}"),
    (
        1.5,
        "(summarize|review|who wrote|what happens in|what is the plot of|who plays in|tell me the story of|who directed|when was|what is the ending of) {work}",
    ),
    (
        1,
        "(difference|what is the difference|compare|what distinguishes) (between|) {s} (and|from|with) {s2}",
    ),
    (1, "is {s} (bigger than|better than|the same as|older than|related to|faster than) {s2}"),
    (
        1,
        "(is|are) {s} (dangerous|healthy|real|alive|expensive|poisonous|true|good for you|old|extinct|famous|legal)",
    ),
    (1, "is there (life|water|gold|oxygen|snow|a god|oil) (on|in) {place}"),
    (
        1,
        "(do|does|can) {s} (exist|swim|fly|think|sleep|talk|bite|live in {place}|eat meat|lay eggs|see colours|feel pain)",
    ),
    (
        1.5,
        "(who|what) (won|is winning|will win) (the|) (world cup|match|election|champions league|super bowl|race|oscar|game|olympics|nobel prize|tour de france|elections) (in 2006|in 1998|last year|yesterday|today|in {place}|)",
    ),
    (
        1.5,
        "(what are|tell me|show me|give me) the (news|headlines|latest news|stock prices|football results|lottery numbers|exchange rates|ingredients of {s}|symptoms of {s}|lyrics of {s}|rules of {s}|stages of {s}|causes of {s}|opening hours of {s})",
    ),
    (
        1,
        "(plan|organize|book) (a|my|) (trip|holiday|weekend|journey|flight|hotel|party|vacation|honeymoon) (to|in|for) {place}",
    ),
    (1, "how (do i get|far is it|long does it take) (from {place} |)to {place2}"),
    (
        1,
        "(correct|fix|improve|check|rewrite) (the grammar|the spelling|my spelling|my english|the style|this sentence|my text|my essay): (he go home|she have a car|i is happy|they was late|me like it|we goes there)",
    ),
    (1, "what (does|do) (the word|the expression|the phrase|) {s} mean"),
    (1, "(synonym|antonym|rhyme|definition|plural|meaning|origin|etymology) (for|of) {s}"),
    (
        1,
        "(what|which) (animal|plant|colour|number|food|country|song|city|planet|sport) (is|has|do you like|lives|comes) (the|) (best|most|longest|in {place}|most beautiful|first|blue)",
    ),
    (
        1,
        "what is the (meaning of life|purpose of life|answer to everything|future of mankind|best religion|secret of happiness|truth|sense of existence|recipe for {s}|speed of light|boiling point of water|melting point of iron|distance to {place}|formula of {s}|chemical symbol of {s}|mass of {s}|age of {s}|price of {s}|colour of {s}|freezing point of {s}|density of {s}|largest prime)",
    ),
    (
        1,
        "(does god exist|are we alone in the universe|is there life after death|what comes after death|what is consciousness|is time travel possible|are aliens real|do ghosts exist|what is love|is free will real)",
    ),
    (
        1,
        "(give me|make|create|i need|write) (a|an|some|me a) (workout plan|diet plan|shopping list|study plan|budget|quiz|riddle|business idea|list of ideas|training plan|timetable|travel plan|meal plan|marketing plan|crossword|agenda|menu|recipe with {s})",
    ),
    (1, "(recipe|recipes|ingredients) (for|of) {s}"),
    (
        1,
        "(play|sing|draw|paint|open|call|send|buy|order|turn on|book|find|search) (some|a|the|me a|) (music|song|picture|pizza|taxi|ticket|light|message to mom|email|website|door|my wife|present|table for two|film|google|cat picture|radio)",
    ),
    (
        1,
        "how much (memory|ram|storage) (does|has|needs) (a human brain|an elephant|photoshop|a playstation|chrome|minecraft|an iphone|a browser|my brain|gta)",
    ),
    (
        1,
        "(download|install|delete|update|get me) (minecraft|photoshop|spotify|chrome|whatsapp|a film|music|steam|microsoft word|zoom|my facebook account|tiktok|my emails|an app|a game|firefox|netflix)",
    ),
    (
        1,
        "(best|good|cheap) (restaurant|car|phone|laptop|hotel|camera|school|doctor|tv|bike|headphones|shoes) (in {place}|for {n1} dollars|for students|2024|)",
    ),
    (1, "(who made|when was|who invented|what year was) {s} (made|built|invented|founded|)"),
    (1, "(a|an|one) (interesting|fun|random) fact (about {s}|)"),
    (1, "(continue|finish|complete) (the story|this poem|the sentence): once upon a time {s}"),
    (
        1,
        "(let's|can we|do you want to) (play chess|play a game|talk about politics|talk about football|sing|dance|discuss philosophy|talk about {s}|role play|go out)",
    ),
    (0.7, "what do you think (about|of) {s}"),
    (0.7, "do you (like|know|love|believe in|eat|remember) {s}"),
    (0.7, "(i like|i hate|i love|i bought|i saw|i read about|i live in|i was in|i work in) {s}"),
)


def off_topic(rng: random.Random) -> QA:
    """A question of another field, which is refused."""
    template = rng.choices([t for _, t in TEMPLATES], [w for w, _ in TEMPLATES])[0]
    digits = rng.choice((10, 100, 100, 1000, 10000))
    slots = {
        "s": _subject(rng),
        "s2": _subject(rng),
        "person": rng.choice(PEOPLE)
        if rng.random() < 0.7
        else invented_word(rng, True) + " " + invented_word(rng, True),
        "who": rng.choice(WHO_DID),
        "howto": rng.choice(HOW_TO),
        "why": rng.choice(WHY),
        "measure": expand(rng, MEASURE),
        "place": rng.choice(PLACES) if rng.random() < 0.7 else invented_word(rng, True),
        "place2": rng.choice(PLACES),
        "superlative": expand(rng, SUPERLATIVE),
        "thing": rng.choice(THING) if rng.random() < 0.75 else _subject(rng),
        "writekind": expand(rng, WRITE_KIND),
        "about": rng.choice(ABOUT_WHAT) if rng.random() < 0.7 else _subject(rng),
        "codelang": expand(rng, CODE_LANGUAGE),
        "codetask": rng.choice(CODE_TASK),
        "phrase": rng.choice(PHRASES),
        "lang": expand(rng, LANGUAGE),
        "n1": str(rng.randrange(1, digits)),
        "n2": str(rng.randrange(1, digits)),
        "advice": rng.choice(ADVICE),
        "recommend": expand(rng, RECOMMEND),
        "pain": expand(rng, PAIN),
        "feelings": expand(rng, FEELINGS),
        "event": rng.choice(EVENT),
        "work": rng.choice(WORKS),
    }
    text = expand(rng, template, slots)
    if rng.random() < 0.6:
        text = text.replace("\x01", "").replace("\x02", "")
    return QA(noise(rng, text), REFUSAL)
