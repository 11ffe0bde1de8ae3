"""How several of a noun are called, and which are never counted."""

#: Names that are many already, or a mass: nobody counts them.
UNCOUNTED = frozenset(
    [
        "blueberries",
        "bow and arrow",
        "bread",
        "broccoli",
        "candy",
        "cheese",
        "cherries",
        "chocolate",
        "corn",
        "dice",
        "fire",
        "fries",
        "glasses",
        "globe",
        "grapes",
        "headphones",
        "honey",
        "ice cream",
        "jack o lantern",
        "jeans",
        "lightning",
        "milk",
        "moon",
        "pancakes",
        "popcorn",
        "saturn",
        "scissors",
        "sheep",
        "smiley",
        "socks",
        "soda",
        "soft serve",
        "spaghetti",
        "stack of books",
        "sun",
        "sunglasses",
        "sushi",
        "swords",
        "wine",
        "beer",
    ]
)

#: Plurals that no rule makes. Chosen by the name's last word.
PLURALS = {
    "mouse": "mice",
    "fish": "fish",
    "deer": "deer",
    "goose": "geese",
    "wolf": "wolves",
    "knife": "knives",
    "leaf": "leaves",
    "loaf": "loaves",
    "shrimp": "shrimp",
    "cactus": "cacti",
    "scarf": "scarves",
    "volcano": "volcanoes",
    "tomato": "tomatoes",
    "potato": "potatoes",
}


def plural(name: str) -> str:
    """Several of them: "apples", "palm trees", "mice"."""
    *before, last = name.split()
    return " ".join((*before, PLURALS.get(last) or regular_plural(last)))


def regular_plural(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"
