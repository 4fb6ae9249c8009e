# ruff: noqa: E501 (templates are data, one a line)
"""Conversations with tools: definitions, calls, results, and answers in words."""

from __future__ import annotations

import json
import random
from typing import Any

from .facts import fitting
from .grammar import expand, invented_word, pick
from .noise import noise
from .words import glued

Message = dict[str, Any]

ZONES = {
    "London": "Europe/London", "Paris": "Europe/Paris", "Berlin": "Europe/Berlin", "Rome": "Europe/Rome",
    "Madrid": "Europe/Madrid", "Vienna": "Europe/Vienna", "Zurich": "Europe/Zurich", "Oslo": "Europe/Oslo",
    "Stockholm": "Europe/Stockholm", "Helsinki": "Europe/Helsinki", "Athens": "Europe/Athens",
    "Lisbon": "Europe/Lisbon", "Dublin": "Europe/Dublin", "Moscow": "Europe/Moscow", "Prague": "Europe/Prague",
    "Istanbul": "Europe/Istanbul", "Warsaw": "Europe/Warsaw", "Budapest": "Europe/Budapest",
    "New York": "America/New_York", "Chicago": "America/Chicago", "Los Angeles": "America/Los_Angeles",
    "Denver": "America/Denver", "Toronto": "America/Toronto", "Mexico City": "America/Mexico_City",
    "Lima": "America/Lima", "Bogota": "America/Bogota", "Tokyo": "Asia/Tokyo", "Seoul": "Asia/Seoul",
    "Shanghai": "Asia/Shanghai", "Singapore": "Asia/Singapore", "Dubai": "Asia/Dubai",
    "Bangkok": "Asia/Bangkok", "Kolkata": "Asia/Kolkata", "Sydney": "Australia/Sydney",
    "Melbourne": "Australia/Melbourne", "Cairo": "Africa/Cairo", "Nairobi": "Africa/Nairobi",
    "Lagos": "Africa/Lagos", "Johannesburg": "Africa/Johannesburg", "Honolulu": "Pacific/Honolulu",
}  # fmt: skip

CITIES = (*ZONES, *"""Milan|Turin|Naples|Bologna|Florence|Venice|Genoa|Palermo|Munich|Hamburg|Cologne|Leipzig|Lyon
Nice|Bordeaux|Marseille|Seville|Valencia|Bilbao|Granada|Porto|Braga|Geneva|Basel|Bern|Graz|Salzburg|Linz|Bergen
Malmö|Gothenburg|Aarhus|Copenhagen|Reykjavik|Tampere|Tallinn|Riga|Vilnius|Kraków|Gdansk|Brno|Bratislava|Zagreb
Belgrade|Sofia|Bucharest|Thessaloniki|Ankara|Izmir|Beirut|Tel Aviv|Amman|Tehran|Baghdad|Doha|Riyadh|Karachi
Lahore|Delhi|Mumbai|Chennai|Dhaka|Colombo|Kathmandu|Hanoi|Jakarta|Manila|Taipei|Osaka|Kyoto|Sapporo|Beijing
Hong Kong|Perth|Brisbane|Auckland|Wellington|Accra|Dakar|Tunis|Algiers|Rabat|Casablanca|Addis Ababa|Cape Town
Durban|Lusaka|Harare|Boston|Seattle|Portland|San Francisco|San José|Las Vegas|Phoenix|Austin|Dallas|Houston
Miami|Atlanta|Philadelphia|Detroit|Minneapolis|Montreal|Québec|Vancouver|Calgary|Ottawa|Havana|Panama City
Quito|La Paz|Santiago|Córdoba|Montevideo|São Paulo|Rio de Janeiro|Recife|Salvador|Manchester|Leeds|Bristol
Oxford|York|Cardiff|Edinburgh|Belfast|Cork|Galway|Antwerp|Ghent|Brussels|Rotterdam|Utrecht|Amsterdam|Luxembourg
Strasbourg|Saint Petersburg|Novosibirsk|Kyiv|Odesa|Lviv|Tbilisi|Yerevan|Baku|Almaty|Tashkent|Ulaanbaatar|Nuuk
Siena|Pisa|Verona|Trieste|Bari|Como|Rimini|Lucca|Toulouse|Nantes|Lille|Rennes|Dresden|Bremen|Ulm|Kiel""".replace("\n", "|").split("|"))  # fmt: skip

DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "get_weather": ("The current weather of a city.", "Get the weather in a city.", "Current weather for a city", "Weather of a place", "Returns the weather of the given city.", "Look up the weather."),
    "get_time": ("The current time in a time zone.", "Get the current time.", "Current time of a time zone", "Returns the time in an IANA time zone.", "Tell the time of a zone.", "Look up the time."),
    "add": ("Add two numbers.", "Adds a and b.", "The sum of two numbers.", "Returns a + b.", "Add two numbers and return the sum."),
    "list_models": ("List the models that fit in some memory.", "Lists models by memory.", "Models that need at most so many GB.", "Returns the models for a memory size.", "List local models."),
}  # fmt: skip
ARGUMENTS: dict[str, dict[str, str]] = {
    "get_weather": {"city": "string"},
    "get_time": {"timezone": "string"},
    "add": {"a": "number", "b": "number"},
    "list_models": {"max_memory_gb": "number"},
}
HINTS: dict[str, tuple[str, ...]] = {
    "city": ("Name of the city", "The city", "City name, such as Oslo"),
    "timezone": ("IANA time zone, such as Europe/Rome", "Time zone", "The zone's name"),
    "a": ("First number", "The first number"),
    "b": ("Second number", "The second number"),
    "max_memory_gb": ("Memory in GB", "Largest memory need in GB", "GB of memory"),
}


OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "get_weather": ("weather", "current_weather", "weather_of", "lookup_weather", "fetch_weather"),
    "get_time": ("time", "current_time", "clock", "time_in", "local_time"),
    "add": ("sum", "plus", "add_numbers", "sum_two", "addition"),
    "list_models": ("models", "find_models", "models_for", "fitting_models", "search_models"),
    "city": ("place", "location", "town", "where", "city_name"),
    "timezone": ("zone", "tz", "time_zone", "region"),
    "a": ("x", "first", "left", "n1", "number1"),
    "b": ("y", "second", "right", "n2", "number2"),
    "max_memory_gb": ("memory", "limit", "gb", "memory_gb", "ram"),
}
Names = dict[str, str]


def other_names(rng: random.Random, names: list[str]) -> Names:
    """New names of tools and parameters, so that these are read and not known by heart."""
    known = [*names, *(a for n in names for a in ARGUMENTS[n])]
    return {n: rng.choice(OTHER_NAMES[n]) for n in known if rng.random() < 0.7}


def renamed(value: Any, names: Names) -> Any:
    """Definitions or messages with the names of tools and parameters replaced."""
    if isinstance(value, list):
        return [renamed(v, names) for v in value]
    if not isinstance(value, dict):
        return value
    out = {k: renamed(v, names) for k, v in value.items()}
    if "name" in out:
        out["name"] = names.get(out["name"], out["name"])
    if isinstance(out.get("required"), list):
        out["required"] = [names.get(n, n) for n in out["required"]]
    for key in ("properties", "arguments"):
        if key in out:
            out[key] = {names.get(k, k): v for k, v in out[key].items()}
    return out


def definition(rng: random.Random, name: str) -> dict[str, Any]:
    """The OpenAI definition of a demonstration tool, in one of many wordings."""
    properties: dict[str, Any] = {}
    described = rng.random() < 0.5
    for argument, kind in ARGUMENTS[name].items():
        whole = name == "list_models" and rng.random() < 0.3
        properties[argument] = {"type": "integer" if whole else kind}
        if described:
            properties[argument]["description"] = rng.choice(HINTS[argument])
    parameters = {"type": "object", "properties": properties}
    if rng.random() < 0.85:
        parameters["required"] = list(properties)
    function = {
        "name": name,
        "description": rng.choice(DESCRIPTIONS[name]),
        "parameters": parameters,
    }
    return {"type": "function", "function": function}


def some_tools(rng: random.Random, needed: str | None = None) -> list[str]:
    """Names of one to four tools in any order, `needed` among them."""
    others = [n for n in ARGUMENTS if n != needed]
    names = rng.sample(
        others, rng.choice((0, 0, 0, 1, 1, 3)) if needed else rng.choice((1, 1, 1, 2, 4))
    )
    if needed:
        names.append(needed)
    rng.shuffle(names)
    return names


WEATHER = (
    "(what is|what's|how is|how's|tell me|check|look up|get|find out) the (weather|current weather|weather like|forecast) (in|for|at|of|over) {c} (now|today|right now|)",
    "(weather|forecast|weather report|weather conditions|temperature) (in|for|at|of) {c}",
    "{c} (weather|forecast|temperature|weather today|weather report)",
    "(is it|will it be|is it going to be) (raining|sunny|cold|hot|warm|snowing|windy|cloudy|foggy|stormy|freezing|wet|nice|dry) in {c} (today|now|right now|)",
    "(do|will) i need (an umbrella|a coat|a jacket|sunglasses|a raincoat|boots|a hat|sunscreen) in {c} (today|tomorrow|)",
    "(how|what) (warm|cold|hot|temperature|windy|wet) (is it|is|does it have) in {c} (now|today|)",
    "(what|which) (temperature|weather) (is it|is there|do they have|has|does one have) in {c} (now|at present|)",
    "(i'm|i am) (going|travelling|flying|moving|driving) to {c}, (what is the weather|how is the weather|what's the weather like|will it rain|how warm is it|what is the sky doing) (there|)",
    "(any|is there|some) (rain|snow|sun|wind|fog|clouds|storm|sunshine|hail) (in|over|near) {c} (today|)",
    "(i'd like to know|can you tell me|could you check|please check|please tell me|i need|show me|give me) (the|) weather (in|for|of) {c}",
    "what's it like (outside|) in {c} (today|)",
    "tell me (how|whether|if) (hot it is|cold it is|it rains|it is raining|warm it is|the sun shines|it is sunny|bad the weather is) in {c}",
    "does it (rain|snow|storm) in {c} (now|today|)",
    "how does the (sky|weather) look in {c}",
    "what is the (sky|sun|weather) (like|doing) (in|over|above) {c}",
    "{c}'s weather",
    "what is {c}'s weather (like|today|)",
    "(weather|forecast|weather news|sky|weather update|weather data|weather bulletin|conditions|climate today) (report|) (for|of|in|from|at|around) {c} (please|now|today|tomorrow|right now|thanks|pls|if you can|)",
    "(report|describe|fetch|bring|read|announce) (me|) (the|) (weather|sky|temperature|conditions) (of|in|for|at|over|around) {c} (please|now|)",
    "(how|what) (is|are|does) (it|the sky|the air|things|conditions) (outside|out there|look|like|) in {c} (weather wise|, weather please|: sun or rain|, cold or warm)",
    "(raining|snowing|sunny|stormy|hailing|drizzling|freezing|pouring|foggy|misty|thundering|muggy) in {c} (today|now|or not|at the moment|)",
    "(is it|does it|are they having) (snowing|hailing|drizzling|pouring|thundering|muggy|humid|icy|mild|clear|bright|overcast|chilly|a storm|a heat wave) (in|at|around|over) {c} (now|today|at the moment|)",
    "(i live in|i am in|i land in|we stay in|my son is in|tomorrow i'm in) {c} (: what's the weather|, how is the weather|, is it cold|, do i need a coat|. what weather is it)",
    "(what|how) (weather|temperature|climate) (has|does|is|shows|awaits me in) {c} (have|show|got|now|today|)",
    "{c}: (weather|rain or sun|how warm|temperature|is it raining|forecast please)",
    "(degrees|celsius|temperature|wind|rain|humidity) (in|of|for|at) {c} (now|today|please|)",
    "how is {c} (today|now|this morning), (sunny|cold|rainy|warm) or (wet|dry|windy|hot)",
)
TIME = (
    "(what time is it|what's the time|what is the time|tell me the time|what is the current time|current time|the time|time|time now|how late is it|local time|clock time) in {z} (now|right now|)",
    "(what time is it|what's the time|current time|time|how late is it|the hour) (in|at|over in) {z}",
    "(which|what) (hour|time) (is it|do they have|is it now|have they) in {z} (now|)",
    "{z} (time|time now|current time|local time)",
    "(time|current time|clock) {z}",
    "(i'd like to know|can you tell me|could you check|please check|show me|look up|give me|please give me|find out) the (current|local|exact|) time (in|for|of) {z}",
    "is it (morning|evening|night|late|early|already dark|noon|still morning|past midnight|afternoon) in {z} (now|already|)",
    "(i want|i need|i have) to call (someone|a friend|my boss|my aunt|the office) in {z}, what time (is it|do they have|is it there)",
    "(check|look at|read) the (clock|time|hour) (in|for|of) {z}",
    "my (friend|brother|colleague|sister|team) (lives|is|works) in {z}; what time is it there",
    "what does the clock (say|show) in {z}",
    "can i (still|already) call {z}, or is it (too late|too early|night) there",
    "(hour|time|clock|time of day|local hour|watch) (in|at|of|for) {z} (please|now|right now|pls|)",
    "(how late|what hour|what time|which hour) (is|do they have|have they|is it now|does it get) (in|over in|there in|at) {z} (now|please|)",
    "{z}: (what time|time please|hour|how late|time)",
    "(i'm|i am|we are) (calling|phoning|meeting|writing to) (someone|a friend|them|my boss|the team) in {z} (: time there|, what time is it there|. how late is it)",
    "(do they|does one) (sleep|work|have lunch|have breakfast) in {z} (now|already|at this hour), what time is it",
)
ADD = (
    "(what is|what's|how much is|calculate|compute|add|work out|tell me|give me|what makes|what gives|) {a} (plus|+|and|added to) {b}",
    "{a}+{b}",
    "{a} + {b} (=|= ?|equals|is what|makes|gives what|)",
    "add {a} (and|to|plus|with) {b}",
    "(sum|the sum|total|the total|add up|sum up|please add|can you add|could you add up|i want to add|find the sum of) (of|) {a} and {b}",
    "(what is|what's|give me|i need|find|calculate) the (sum|total) of {a} and {b}",
    "i have {a} (euros|apples|books|points|coins|eggs|dollars|cards) and (get|buy|find|win|receive|am given) {b} more, (how many|how much|what) (do i have|is that|does that make|in total|altogether)",
    "if i (add|put) {a} (and|to|with) {b} (together|), what do i get",
    "(put|take|bring) {a} and {b} together",
    "what do {a} and {b} (make|give|sum to|add up to|come to)",
    "{a} and {b} (together|in total|summed|added|altogether) (make what|is what|)",
    "{a} plus {b}",
    "how much (do|does) {a} and {b} (make|give|come to)",
    "(increase|raise) {a} by {b}",
    "{b2} people and {a} more people: (how many|what total)",
    "(what|how much) (is it|do you get|comes out|results|is the result|will it be) (when|if) (you|i|one|we) (add|put|sum|join|combine|count|take) {a} (and|to|with|plus) {b} (together|)",
    "{a} (joined with|together with|combined with|increased by|and another|and then|and also|on top of) {b} (: total|, what total|gives what|, how much|, the sum please|)",
    "(the sum|total|sum|what's the total|what is the total|add up|the total) (when|if|of|for|:|) {a} {w} {b} (please|)",
    "{a} {w} {b}: (the sum|total|added up|what is the sum|add them|sum)",
    "(sum|add|total|plus) (:|) {a} {b}",
    "(add|sum|please add|now add|count) {a} (to|and|plus|with|on) {b} (.|!|?|please|now|for me|)",
    "(i need|give me|find|tell me|what's) {a} (plus|added to|and|increased by) {b} (.|?|please|)",
    "(first|take|start with|i have) {a}, (then|and|now|plus) (add|another|) {b} (: sum|, what is it|, total)",
    "(a box|a shop|a farm|my sister|the class|our team) (holds|has|sells|gets|counts) {a} (and then|plus|and) {b} (more|others|), (total|how many in all|what is the sum)",
)
MODELS_FOR = (
    "(which|what) models (fit|run|work|go|are possible|can i run|can i use|will fit|would run|could i run) (in|on|with|within|into) {n} {gb}",
    "(list|show|give me|find|print|tell me|name) (the|all|) models (for|that fit in|that need at most|up to|under|below|within|needing at most|that run in|using less than) {n} {gb}",
    "i have {n} {gb}, (which models fit|what can i run|list the models|which models can i use|show me what fits|what is possible|what models are there)",
    "(which|what) models need (at most|less than|no more than|up to|under|max|not more than) {n} {gb}",
    "(what can i run|what fits|anything|what runs) (with|on|in|under|below|within) {n} {gb}",
    "models (for|under|below|up to|with at most|within) {n} {gb}",
    "my (mac|machine|computer|laptop|pc) has {n} {gb}, (list the models that fit|which models are possible|which models run|show the models|what fits)",
    "(list|show|print) (everything|all|what is there|the models) (for|up to|that needs at most|under|that fits in) {n} {gb}",
    "(models|list models) {n} {gb}",
    "show (me|) (models|what runs) (on|for) a {n} {gb} (machine|mac|computer|laptop|pc)",
    "(i have|i've got|there are|we have|with|given|my box has|it has|we've got) {n} {gb} (,|:|.|;) (print|list|show|name|find|tell me|give me) (the|all|all the|) (models|ones|models of that size) (that|which) (are possible|fit|work|run|go|i can use)",
    "(print|list|show|name|find) (the|all|) (models|ones) (that|which) (are possible|fit|work|run|go|i can use) (with|in|on|within) {n} {gb}",
    "(what|which models|which ones) (can|could|do) (i|we|one) (run|use|load|start) (with|in|on|given) (at most|only|just|up to|no more than|) {n} {gb}",
    "(limit|memory limit|memory|budget|max memory|ram) (is|of|) {n} {gb} (: models|, which models|, list the models)",
    "{n} {gb} (: which models|models|, what fits|list)",
)
GB = "(GB|gb|GB of RAM|gigs|gig|GB of memory|gigabytes|gb ram|GB RAM|gigabytes of memory)"
CONDITIONS = ("sunny", "cloudy", "light rain", "rain", "snow", "clear sky", "fog", "windy", "overcast", "heavy rain", "showers", "thunderstorms", "partly cloudy", "drizzle", "light snow", "hail", "mist", "hazy", "strong wind", "dry and clear")  # fmt: skip


def place(rng: random.Random) -> str:
    """A city, often one that no list has."""
    if rng.random() < 0.5:
        name = rng.choice(CITIES)
    else:
        name = invented_word(rng, True)
        if rng.random() < 0.25:
            name = (
                rng.choice(
                    (
                        "San ",
                        "New ",
                        "Port ",
                        "Santa ",
                        "Los ",
                        "North ",
                        "Saint ",
                        "Bad ",
                        "El ",
                        "",
                    )
                )
                + name
            )
        elif rng.random() < 0.12:
            name += " " + invented_word(rng, True)
    if rng.random() < 0.12:
        name = _accented(rng, name)
    return name.lower() if rng.random() < 0.08 else name


ACCENTS = {"a": "áàâãäå", "e": "éèêëě", "i": "íîï", "o": "óôõöøő", "u": "úûüů", "c": "çćč", "n": "ñń", "s": "šś", "z": "žż", "l": "ł", "y": "ý", "r": "ř", "d": "đ"}  # fmt: skip


def _accented(rng: random.Random, name: str) -> str:
    """`name` with an accent on one or two letters, whose bytes are tokens of their own."""
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(name))
        if marks := ACCENTS.get(name[at]):
            name = name[:at] + rng.choice(marks) + name[at + 1 :]
    return name


def number(rng: random.Random) -> int | float:
    """A whole number of one to five digits, at times with a fraction or a sign."""
    roll = rng.random()
    if roll < 0.14:
        return round(rng.uniform(0, 10 ** rng.choice((1, 2, 3))), rng.choice((1, 2)))
    n = rng.randrange(10 ** rng.choice((1, 2, 2, 3, 3, 4, 5)))
    return -n if roll > 0.93 else n


def call(rng: random.Random, name: str) -> tuple[str, dict[str, Any], str, str]:
    """A question, its call's arguments, the tool's result, and the answer in words."""
    if name == "get_weather":
        city = place(rng)
        question = pick(rng, WEATHER, {"c": city})
        degrees, sky = rng.randrange(-20, 42), rng.choice(CONDITIONS)
        result: Any = {"city": city, "temperature_c": degrees, "conditions": sky}
        if rng.random() < 0.3:
            result = rng.choice(
                (
                    f"{degrees} °C, {sky}",
                    f"{sky}, {degrees} °C",
                    {"temperature": degrees, "sky": sky},
                    {"temperature_c": degrees, "conditions": sky},
                )
            )
        return question, {"city": city}, _text(result), f"In {city} it is {degrees} °C: {sky}."
    if name == "get_time":
        city = rng.choice(list(ZONES))
        zone = ZONES[city]
        said = rng.choice((city, city, city, zone, zone))
        if rng.random() < 0.12:
            zone = said = "UTC"
        elif rng.random() < 0.15:
            zone = said = rng.choice(("Europe/", "Asia/", "America/", "Africa/")) + invented_word(
                rng, True
            )
        elif rng.random() < 0.15:
            said = said.lower() if "/" not in said else said
        question = pick(rng, TIME, {"z": said})
        clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}"
        result = {"timezone": zone, "time": clock}
        if rng.random() < 0.3:
            result = rng.choice((clock, {"time": clock}, f"{clock} {zone}"))
        return question, {"timezone": zone}, _text(result), f"It is {clock} ({zone})."
    if name == "add":
        a, b = number(rng), number(rng)
        template = rng.choice(ADD)
        if "{b2}" in template:
            a, b = b, a
            template = template.replace("{b2}", "{a}").replace("and {a} more", "and {b} more")
        slots = {"a": str(a), "b": str(b), "w": invented_word(rng)}
        question = expand(rng, template, slots)
        total = round(a + b, 4)
        result = rng.choice((total, total, {"result": total}, {"sum": total}))
        return question, {"a": a, "b": b}, _text(result), f"{a} plus {b} is {total}."
    n = rng.choice((1, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 8, 10, 12, 16, 16, 24, 32, 48, 64, 96, 128))
    if rng.random() < 0.2:
        n = rng.randrange(1, 200)
    question = pick(rng, glued(rng, MODELS_FOR), {"n": str(n), "gb": expand(rng, GB)})
    ids = [m.id for m in fitting(n)]
    answer = f"These fit in {n} GB: {', '.join(ids)}." if ids else f"No model fits in {n} GB."
    return question, {"max_memory_gb": n}, _text(rng.choice((ids, {"models": ids}))), answer


def _text(result: Any) -> str:
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)


ERRORS = ("unknown city", "timeout", "no connection", "not found", "invalid argument", "service unavailable", "internal error", "unknown time zone", "bad request", "permission denied")  # fmt: skip


def turns(rng: random.Random, name: str) -> list[Message]:
    """User's question and the call; three times in five also the result and the answer."""
    question, arguments, result, answer = call(rng, name)
    messages: list[Message] = [
        {"role": "user", "content": noise(rng, question)},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"type": "function", "function": {"name": name, "arguments": arguments}}
            ],
        },
    ]
    if rng.random() < 0.6:
        if rng.random() < 0.08:
            error = rng.choice(ERRORS)
            result = rng.choice((json.dumps({"error": error}), f"error: {error}"))
            answer = f"The tool failed: {error}."
        messages += [{"role": "tool", "content": result}, {"role": "assistant", "content": answer}]
    return messages
