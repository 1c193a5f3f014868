"""Everyday phrases of a chat, from a small grammar written for this model.

A pattern is text with names of word lists in braces. Every pattern gives up to 220 phrases, drawn with a fixed seed.
"""

import random
import re
from collections.abc import Iterator

_EACH = 220
_DRAWS = 6  # per requested phrase, before a pattern counts as exhausted

_WORDS = {
    name: tuple(words.split("|"))
    for name, words in {
        "name": "Anna|Ben|Clara|David|Emma|Frank|Grace|Henry|Julia|Kevin|Laura|Mark|Nina|Oliver|Paul|Rachel|Sarah|"
        "Tom|Victor|Alice|George|Peter|Martha|Simon|Lucy|James|Mary|John|Robert|Linda|Michael|Susan|Daniel|"
        "Karen|Steven",
        "person": "my brother|my sister|your mother|her father|the teacher|our neighbor|the driver|the doctor|"
        "a friend|the new guy|my boss|the captain|the nurse|the waiter|an old man|the young woman|"
        "the children|everybody|nobody|the whole team|my cousin|the artist|the singer|a stranger|the mayor|"
        "the student|the farmer|the cook",
        "place": "the kitchen|the garden|school|the office|the park|the station|the library|the beach|the hospital|"
        "town|the market|the river|the mountains|the airport|the hotel|the museum|the bridge|the forest|"
        "the theater|the village|the church|the basement|the restaurant|the lake|the corner store|"
        "the other room|the roof",
        "thing": "book|key|phone|picture|letter|guitar|camera|jacket|chair|bottle|window|ticket|hammer|blanket|"
        "computer|keyboard|bicycle|umbrella|clock|mirror|basket|candle|ladder|pencil|bucket|table|machine|"
        "piano|box|lamp|watch|sandwich|cookie|tent|rope|wallet|plate|cup|knife|shirt|hat|map|radio|engine|"
        "stone|flower|cake|pie|fish|bag",
        "animal": "dog|cat|horse|bird|fox|rabbit|mouse|bear|wolf|sheep|cow|duck|goose|frog|spider|turtle|monkey|lion",
        "adjective": "big|small|old|new|red|blue|green|yellow|heavy|light|strange|quiet|loud|beautiful|ugly|cheap|"
        "expensive|broken|empty|full|warm|cold|wet|dry|soft|hard|bright|dark|funny|serious|simple|clever|"
        "gentle|rough|wonderful|terrible|ordinary|famous|tiny|huge|fresh|clean|dirty|sharp|round|wooden|"
        "golden|silver|curious|lucky",
        "feeling": "happy|sad|tired|angry|hungry|thirsty|excited|nervous|proud|afraid|bored|lonely|sick|ready|sure|"
        "surprised|grateful|confused|jealous|calm|worried|curious|relaxed|busy|late|early|lost|awake|alone|"
        "right|wrong",
        "verb": "find|see|buy|sell|fix|carry|clean|paint|open|close|move|draw|hide|lose|watch|choose|need|keep|"
        "like|love|borrow|wash|throw|catch|lift|push|pull|hold|share|bring|take|show|use|build|break|check|"
        "remember|forget",
        "doing": "reading|cooking|dancing|singing|swimming|sleeping|working|talking|laughing|running|walking|"
        "driving|painting|writing|waiting|playing|thinking|shopping|fishing|jumping|studying|climbing|"
        "listening|shouting",
        "did": "found|saw|bought|sold|fixed|carried|cleaned|painted|opened|closed|moved|drew|hid|lost|watched|"
        "chose|needed|kept|liked|loved|borrowed|washed|threw|caught|lifted|pushed|pulled|held|shared|"
        "brought|took|showed",
        "when": "today|tomorrow|yesterday|tonight|this morning|this afternoon|this evening|next week|last night|"
        "last summer|every day|on Monday|on Tuesday|on Wednesday|on Thursday|on Friday|on Saturday|"
        "on Sunday|in January|in February|in March|in April|in August|in September|in October|in November|"
        "in December|at noon|at midnight|after lunch|before dinner|a week ago|an hour ago|in a minute|"
        "all the time|once in a while|right now|very soon",
        "number": "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fifteen|sixteen|eighteen|"
        "twenty|twenty-one|thirty|forty|fifty|sixty|seventy|eighty|ninety|one hundred|two hundred|"
        "a thousand|several|many",
        "unit": "minutes|hours|days|weeks|months|years|miles|dollars|people|times|pages|points|steps|pounds|players",
        "food": "bread|cheese|soup|rice|chicken|coffee|tea|milk|water|juice|chocolate|salad|pizza|pasta|butter|"
        "honey|eggs|apples|oranges|potatoes|onions|carrots|strawberries|lemonade|ice cream|sugar|salt|"
        "pepper|breakfast",
        "topic": "the weather|music|the game|the news|history|science|the movie|politics|football|the weekend|art|"
        "your idea|the plan|the exam|the project|the price|the party|the trip|the question|the story|"
        "the noise|the meeting|the wedding|the server|the channel|the voice|the recording|the message|"
        "the update|the rules",
        "greeting": "Hello|Hi|Hey|Good morning|Good afternoon|Good evening|Welcome|Greetings|Hi there|Hello there",
        "opening": "Well|Actually|Honestly|Of course|To be fair|By the way|In fact|I guess|I think|Maybe|Anyway|Sorry|"
        "Look|Listen|Oh|Yes|No|Sure|Okay|Right|Please|Thanks|Wow|Hey|You know|I mean|After all|For example|"
        "However",
        "how": "slowly|quickly|carefully|quietly|loudly|happily|badly|well|together|alone|again|gently|suddenly|easily",
    }.items()
}

_PATTERNS = (
    "{greeting}, my name is {name}.",
    "{greeting}, {name}, how are you doing {when}?",
    "{greeting} everyone, and thank you for coming {when}.",
    "{greeting}, this is {name} speaking.",
    "Have you seen my {adjective} {thing}?",
    "Where did you put the {thing}?",
    "I {did} the {adjective} {thing} {when}.",
    "I {did} {number} {unit} ago that {person} was {feeling}.",
    "{opening}, I am not {feeling} at all.",
    "{opening}, we should talk about {topic} {when}.",
    "What do you think about {topic}?",
    "Could you please {verb} the {thing} for me?",
    "Can you {verb} this {adjective} {thing} {when}?",
    "{name} and {name} are {doing} in {place}.",
    "{name} went to {place} {when} with {person}.",
    "There are {number} {adjective} boxes near {place}.",
    "It takes about {number} {unit} to get to {place}.",
    "I waited for {number} hours at {place}.",
    "I would like some {food} and {food}, please.",
    "We had {food} with {food} {when}.",
    "Do you want more {food}, or are you {feeling}?",
    "The {animal} {did} a {adjective} {thing}.",
    "The {adjective} {animal} jumped over the {adjective} {thing}.",
    "A {adjective} {animal} was {doing} behind {place}.",
    "My {animal} is {adjective}, but your {animal} is {adjective}.",
    "Why is {person} so {feeling} {when}?",
    "{person} said that {topic} made {person} {feeling}.",
    "If you {verb} it {how}, nothing will happen.",
    "Please {verb} the {thing} {how}.",
    "Don't {verb} that {thing}, it's {adjective}!",
    "I can't {verb} the {thing} because it's too {adjective}.",
    "We won't {verb} anything {when}.",
    "They didn't {verb} {number} {unit} of it.",
    "She isn't {feeling}, she's just {feeling}.",
    "You're {feeling}, aren't you?",
    "That's the {adjective} {thing} I was {doing} about.",
    "Nobody knows how to {verb} it as {how} as {name}.",
    "{name} has been {doing} for {number} {unit}.",
    "Did {name} {verb} the {thing} {when}?",
    "How many {unit} are left?",
    "How much is that {adjective} {thing} over there?",
    "The {thing} costs {number} dollars and {number} cents.",
    "My number is {number}, {number}, {number}, {number}.",
    "Let's meet at {place} {when}, shall we?",
    "Let me {verb} it {when}, okay?",
    "I'm so {feeling} about {topic}!",
    "What a {adjective} {thing} you have!",
    "{opening}, {name}, that was {adjective}.",
    "{opening}, {person} will {verb} it {when}.",
    "When {person} came home, {person} was {doing}.",
    "I've never been to {place}, but I'd love to go {when}.",
    "Who left the {adjective} {thing} in {place}?",
    "One {thing} is {adjective}, the other is {adjective}.",
    "I heard that {name} will {verb} a {adjective} {thing} {when}.",
    "Turn left at {place}, and then walk {number} {unit}.",
    "Be {feeling}, be {feeling}, and {verb} what you {verb}.",
    "Tell {person} that I am {feeling} {when}.",
    "It was {adjective} and {adjective}, just like {place}.",
    "Thank you, {name}, for the {adjective} {thing}.",
    "This is a test of the {adjective} {thing}.",
)


def phrases() -> Iterator[str]:
    """Yield phrases in the order of their patterns. Deterministic. Different patterns may give the same phrase."""
    draw = random.Random(1)
    for pattern in _PATTERNS:
        found: dict[str, None] = {}
        for _ in range(_EACH * _DRAWS):
            found[_fill(pattern, draw)] = None
            if len(found) == _EACH:
                break
        yield from found


def _fill(pattern: str, draw: random.Random) -> str:
    phrase = re.sub(r"{(\w+)}", lambda slot: draw.choice(_WORDS[slot[1]]), pattern)
    phrase = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", phrase)
    return phrase[0].upper() + phrase[1:]
