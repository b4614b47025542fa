"""Closed lists of English words, written for this package: what the rules know, and nothing else.

A word that is not here is unknown, and the rules leave a phrase alone when they meet one. Words that are as
often a verb as a noun ("swing", "slide", "race") are no nouns here.
"""

from __future__ import annotations

from typing import Final


def listed(text: str) -> tuple[str, ...]:
    """The words of a text; lists of words are easier to read so."""
    return tuple(text.split())


def _plural(word: str) -> str:
    """The plural of a regular noun."""
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


IRREGULAR_PLURALS: Final = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "policeman": "policemen",
    "fireman": "firemen", "fish": "fish", "sheep": "sheep", "deer": "deer", "shelf": "shelves", "knife": "knives",
    "leaf": "leaves", "wolf": "wolves", "mouse": "mice", "goose": "geese", "scarf": "scarves", "loaf": "loaves",
    "tomato": "tomatoes", "potato": "potatoes", "mango": "mangoes", "foot": "feet", "bus": "buses",
}  # fmt: skip
# A gentleman may be called a man, and a lady a woman: each has one counterpart that can never be true of it.
COUNTERPARTS: Final = {
    "man": "woman", "boy": "girl", "gentleman": "lady", "guy": "woman", "father": "mother", "son": "daughter",
    "brother": "sister", "groom": "bride", "king": "queen", "grandfather": "grandmother", "husband": "wife",
    "woman": "man", "girl": "boy", "lady": "man", "mother": "father", "daughter": "son", "sister": "brother",
    "bride": "groom", "queen": "king", "grandmother": "grandfather", "wife": "husband",
}  # fmt: skip
MORE_PEOPLE: Final = listed(
    "child kid baby toddler person adult teenager worker player skier surfer snowboarder skateboarder "
    "biker cyclist climber hiker rider swimmer dancer singer doctor nurse chef cook waiter farmer "
    "soldier policeman fireman firefighter officer driver student teacher couple cowboy clown goalie "
    "runner athlete acrobat spectator tourist customer operator inspector mechanic technician "
    "bicyclist motorcyclist skater wrestler"
)
ANIMALS: Final = listed(
    "dog cat horse cow bird sheep elephant rabbit monkey bear goat pig duck zebra giraffe lion tiger "
    "camel donkey"
)
MORE_ANIMALS: Final = listed(
    "puppy kitten greyhound poodle terrier retriever husky animal fish deer wolf mouse goose swan "
    "chicken seagull butterfly turtle snake frog pony bull calf lamb labrador dalmatian collie "
    "bulldog beagle"
)
# Objects that may stand for one another in most sentences; nothing is more or less the same as another.
SIMILAR_OBJECTS: Final = (
    ("ball", "frisbee", "stick", "rope", "balloon", "bottle"),
    ("bicycle", "motorcycle", "skateboard"), ("bike", "skateboard"), ("scooter", "skateboard"),
    ("car", "truck", "bus", "tractor"),
    ("canoe", "raft"),
    ("hat", "scarf", "necklace"), ("helmet", "scarf"),
    ("shirt", "jacket", "dress", "skirt"), ("coat", "shirt", "skirt"), ("sweater", "jacket", "dress"),
    ("apple", "banana", "pear", "peach", "lemon", "melon"), ("tomato", "carrot", "potato", "cucumber"),
    ("table", "chair", "bed"), ("bench", "table", "bed"), ("couch", "table", "bench"),
    ("cup", "plate", "bowl"), ("spoon", "fork", "knife"),
    ("guitar", "violin", "trumpet", "drum", "flute"),
    ("door", "window", "chimney", "balcony"),
    ("beach", "street", "field"),
    ("circle", "square", "triangle"),
    ("key", "lamp", "clock", "umbrella", "hammer", "candle", "bucket"),
    ("house", "church", "barn", "tent"),
    ("bolt", "nut", "washer", "spring", "gear", "bracket"),
    ("resistor", "capacitor", "diode", "connector", "switch", "fuse"),
    ("phone", "laptop", "radio"),
    ("tree", "bush", "flower", "mushroom"),
)  # fmt: skip
MORE_OBJECTS: Final = listed(
    "t-shirt hoodie sweatshirt swimsuit bikini outfit jersey crack scratch dent defect gap mark stain burr "
    "leak seal camera boat van kayak bridge castle jug shoe boot glove sock sofa desk shelf roof block box "
    "tower item object toy bag backpack basket tray bin drawer carpet rug mat pillow blanket towel fence wall "
    "gate building sidewalk road path trail lawn park pool lake river ocean sea stream pond mountain hill "
    "cliff rock stone log branch leaf ledge railing ladder ramp step staircase platform stage dock pier court "
    "playground yard garden forest city town kitchen room store shop restaurant market tunnel cave hole net "
    "sign pole flag statue fountain waterfall wave puddle train plane airplane helicopter kite sled snowboard "
    "surfboard trampoline hammock stroller wheelchair cart wagon wheel tire hurdle obstacle helmet cap mask "
    "costume uniform vest suit collar leash muzzle glass bun sandwich cake pizza banner poster screen cable "
    "plug socket panel part label package lid cover plank pipe tube screw nail valve pump motor battery star "
    "heart moon sun cloud airport station corner floor ceiling counter cupboard oven fridge sink bathtub "
    "microphone bat racket saddle fire snowman hydrant barrel crate column pillar line circuit board picnic "
    "shore fish mug pan pot pen pencil ruler orange mango cabbage onion pepper garlic lime loaf carton jar "
    "tin can"
)
MASS: Final = listed(
    "water snow grass sand dirt mud ice air sky ground food milk juice coffee tea bread cheese beer "
    "wine rain smoke equipment clothing hair fur jeans pants shorts trousers sunglasses goggles woods"
)
NO_PLURAL: Final = frozenset(
    listed(
        "water snow grass sand dirt mud ice air sky ground food milk juice bread rain smoke equipment "
        "clothing hair fur"
    )
)
PEOPLE: Final = frozenset(COUNTERPARTS) | frozenset(MORE_PEOPLE)
SINGULARS: Final = tuple(
    dict.fromkeys(
        [*COUNTERPARTS, *MORE_PEOPLE, *ANIMALS, *MORE_ANIMALS, *MORE_OBJECTS]
        + [word for row in SIMILAR_OBJECTS for word in row]
    )
)  # fmt: skip
PLURALS: Final = {word: IRREGULAR_PLURALS.get(word, _plural(word)) for word in SINGULARS} | {
    "gentleman": "gentlemen"
}
SINGULAR_OF: Final = {plural: word for word, plural in PLURALS.items()}
ANIMATE: Final = PEOPLE | frozenset(ANIMALS) | frozenset(MORE_ANIMALS)

COLOURS: Final = (
    "red",
    "blue",
    "green",
    "yellow",
    "black",
    "white",
    "brown",
    "orange",
    "purple",
    "pink",
    "grey",
)
MORE_COLOURS: Final = ("gray", "tan", "beige", "silver", "gold", "maroon", "turquoise", "violet")
# Colours that one photo may bear both, so neither is put in place of the other.
ALIKE: Final = {
    "red": "orange pink brown", "blue": "purple grey", "green": "yellow blue", "yellow": "orange green white brown",
    "black": "grey brown blue purple", "white": "grey yellow pink", "brown": "red orange black grey yellow",
    "orange": "red yellow brown pink", "purple": "pink blue", "pink": "red purple white orange",
    "grey": "black white blue brown", "gray": "black white blue brown grey",
    "tan": "brown yellow orange white grey pink",
    "beige": "white brown yellow grey pink orange", "silver": "grey white", "gold": "yellow orange brown",
    "maroon": "red brown purple pink", "turquoise": "blue green grey", "violet": "purple pink blue",
}  # fmt: skip
# "orange juice", "white wine", "black belt": the colour word names a sort, not a colour.
SORTS: Final = frozenset(
    listed(
        "juice wine tea pepper peppers cabbage onion onions water waters belt card carpet light lights "
        "coffee chocolate bread rice beans bean board cross tie screen house beer gold cap noise market "
        "hair eye eyes skin tail sox devil army bull ale sauce oil powder diamond slice slices "
        "lantern peel grapefruit"
    )
)
SIZES: Final = {
    "small": "large", "large": "small", "big": "small", "tiny": "huge", "huge": "tiny", "little": "big",
    "smaller": "larger", "larger": "smaller", "bigger": "smaller",
}  # fmt: skip
SMALL: Final = frozenset(listed("small tiny little smaller"))
OPPOSITES: Final = {
    "tall": "short", "thick": "thin", "thin": "thick", "wide": "narrow", "narrow": "wide", "wet": "dry", "dry": "wet",
    "clean": "dirty", "dirty": "clean", "shallow": "deep", "deep": "shallow", "smooth": "rough", "rough": "smooth",
    "heavy": "light", "long": "short", "open": "closed", "closed": "open", "full": "empty", "empty": "full",
    "hot": "cold", "cold": "hot", "steep": "flat", "striped": "plain", "smiling": "frowning", "male": "female",
    "female": "male", "sharp": "blunt", "blunt": "sharp", "loose": "tight", "tight": "loose",
}  # fmt: skip
# Where a pair of opposites holds only before certain nouns: "open door" but not "open field".
OPPOSITE_HEADS: Final = {
    "open": "door window box mouth lid drawer gate umbrella book bottle valve cover",
    "full": "cup glass bottle box shelf plate bowl bucket tank basket tray bin jar crate",
    "empty": "cup glass bottle box shelf plate bowl bucket tank basket tray bin jar crate",
    "closed": "door window box mouth lid drawer gate umbrella book bottle valve cover",
    "hot": "water tea coffee food plate", "cold": "water tea coffee food plate", "heavy": "box bag backpack stone rock",
    "deep": "water pool hole lake river puddle", "shallow": "water pool hole lake river puddle",
    "long": "stick rope cable pole dress coat skirt pipe tube screw table bench branch leash plank bridge tunnel",
    "rough": "wall stone rock road path surface", "dry": "grass sand ground dirt dog road field leaf leaves towel",
    "wet": "grass sand ground dog road street field sidewalk floor towel rock rocks",
    "male": "adult child dancer skater player",
    "female": "adult child dancer skater player",
    "tall": "building tower tree man woman boy girl fence wall grass trees buildings",
    "smiling": "man woman boy girl child baby couple", "steep": "hill road path trail ramp roof",
    "sharp": "knife blade edge pencil", "blunt": "knife blade edge pencil",
}  # fmt: skip
AGED: Final = {"young": "elderly", "old": "young", "older": "younger", "elderly": "young"}
AGED_HEADS: Final = frozenset(
    listed("man woman men women people person couple lady ladies gentleman adult adults")
)
MATERIALS: Final = listed(
    "wooden metal plastic stone glass leather brick concrete steel paper cardboard rubber cotton"
)
MATERIALS_ALIKE: Final = {
    "metal": "steel", "steel": "metal", "stone": "brick concrete", "brick": "stone concrete", "concrete": "stone brick",
    "paper": "cardboard", "cardboard": "paper", "plastic": "rubber glass", "rubber": "plastic", "glass": "plastic",
}  # fmt: skip
# What may be of any material that MADE_ANEW names; a jacket may not.
MADE_OF_ANYTHING: Final = frozenset(
    listed(
        "bench table chair fence bridge door gate box bucket wall roof shelf tower railing ladder ramp platform stage "
        "dock pier pole statue fountain column pillar counter cupboard barrel crate floor step staircase bowl plate "
        "cup spoon plank cover lid case tray bin frame pipe tube horse house barn block boat structure"
    )
)
# What a thing of some material may be made of instead, so that it stays a thing one can think of.
MADE_ANEW: Final = ("wooden", "metal", "plastic", "glass", "concrete")
MORE_ADJECTIVES: Final = listed(
    "medium-sized middle-sized bright dark light colorful colourful grassy snowy rocky sandy dirty "
    "muddy dusty wooded busy crowded high low round flat new modern shiny broken bare fluffy furry "
    "long-haired short-haired asian blond blonde bald shirtless happy sleeping young older golden "
    "plaid spotted middle-aged teenage elderly inflatable stuffed toy soccer tennis"
)
ADJECTIVES: Final = frozenset(
    [*COLOURS, *MORE_COLOURS, *SIZES, *OPPOSITES, *AGED, *MATERIALS, *MORE_ADJECTIVES, "light", "short"]
)

NUMBERS: Final = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
NUMBER_OF: Final = {word: value for value, word in enumerate(NUMBERS)}

_VERBS = listed("run walk play jump sit stand ride hold look wear climb swim carry watch catch throw kick chase "
 "leap eat drink lie sleep smile talk dance push pull follow lead bite lick pet feed hit tackle "
 "lift help photograph paint read write cook clean wash cut drive fly fall hang lean point wave "
 "laugh sing fight wrestle hug kiss splash dive surf ski skate slide swing race pose stare work "
 "wait shake roll spin crawl kneel rest relax bathe touch open close drag attack cross enter leave "
 "pass shoot serve dig sniff wade hike paddle row sail perform balance bounce gather prepare show "
 "try attempt fetch lay skateboard snowboard face approach stack rub dribble celebrate cheer march "
 "compete stretch rush float smoke fish camp shop blow sell buy bark scream hand examine hide "
 "build"
)  # fmt: skip
_DOUBLED = frozenset(listed("run sit swim cut hit hug pet spin dig shop rub drag"))
_GERUNDS = {"lie": "lying", "ski": "skiing"}
_NOT_ALWAYS_VERBS = frozenset(listed("race pose wave face point fish swing slide hand paint work shop camp"))


def third_person(verb: str) -> str:
    """The third person of a regular verb: "run" -> "runs", "carry" -> "carries"."""
    return _plural(verb)


def _gerund(verb: str) -> str:
    if verb in _GERUNDS:
        return _GERUNDS[verb]
    if verb in _DOUBLED:
        return verb + verb[-1] + "ing"
    return (verb[:-1] if verb.endswith("e") else verb) + "ing"


THIRD_PERSON: Final = {verb: third_person(verb) for verb in _VERBS}
GERUNDS: Final = {verb: _gerund(verb) for verb in _VERBS}
VERB_OF_THIRD: Final = {form: verb for verb, form in THIRD_PERSON.items()}
VERB_OF_GERUND: Final = {form: verb for verb, form in GERUNDS.items()}
# Base forms that are surely verbs after a plural noun ("two dogs run").
PLAIN_VERBS: Final = frozenset(_VERBS) - _NOT_ALWAYS_VERBS | {"race", "pose"}
PARTICIPLES: Final = {
    "hold": "held", "carry": "carried", "chase": "chased", "push": "pushed", "pull": "pulled", "follow": "followed",
    "lead": "led", "bite": "bitten", "lick": "licked", "pet": "petted", "feed": "fed", "hit": "hit", "kick": "kicked",
    "tackle": "tackled", "lift": "lifted", "help": "helped", "photograph": "photographed", "hug": "hugged",
    "kiss": "kissed", "watch": "watched", "throw": "thrown", "eat": "eaten", "wash": "washed", "clean": "cleaned",
    "drag": "dragged", "attack": "attacked", "touch": "touched", "paint": "painted", "read": "read", "cut": "cut",
    "drive": "driven", "ride": "ridden", "catch": "caught", "sniff": "sniffed", "examine": "examined",
}  # fmt: skip
# Verbs that say another thing when agent and patient change places; "hug", "kiss", "fight" and "meet" may not.
DIRECTED: Final = frozenset(
    listed(
        "hold carry chase push pull follow lead bite lick pet feed hit kick tackle lift help photograph "
        "watch wash drag attack ride examine sniff approach"
    )
)

DETERMINERS: Final = frozenset(listed("a an the"))
POSSESSIVES: Final = frozenset(listed("his her its their my your our"))
PRONOUNS: Final = frozenset(
    listed(
        "he she him her his hers it its they them their himself herself itself themselves other others "
        "another both each who"
    )
)
PREPOSITIONS: Final = frozenset(
    listed(
        "in on at by with of from to over under above below behind near beside between through across "
        "along into onto inside outside against around down up for off toward towards past without "
        "beneath underneath during after before next among"
    )
)
LINKS: Final = frozenset(listed("and or but while as that who which whilst when where because"))
BE: Final = frozenset(listed("is are was were"))
