"""Every word tintype is taught: nouns and their drawings, shapes, colours, sizes, places. Data only."""

from typing import NamedTuple


class Noun(NamedTuple):
    """One thing tintype can draw: its name in both icon sets, and the words people say for it."""

    drawing: str
    words: tuple[str, ...]
    colours: tuple[str, ...] = ()


NOUNS: dict[str, Noun] = {
    words[0]: Noun(drawing, words, colours)
    for drawing, words, colours in (
        # Animals.
        ("fox", ("fox",), ("red", "orange")),
        ("cat-face", ("cat", "kitten", "kitty", "cat face"), ("yellow", "orange")),
        ("dog-face", ("dog", "puppy", "dog face"), ("brown",)),
        ("rabbit-face", ("rabbit", "bunny"), ("white",)),
        ("tiger-face", ("tiger",), ("orange",)),
        ("lion", ("lion",), ("yellow",)),
        ("panda", ("panda", "panda bear"), ()),
        ("koala", ("koala",), ("gray",)),
        ("bear", ("bear",), ("brown",)),
        ("frog", ("frog",), ("green",)),
        ("monkey-face", ("monkey",), ("brown",)),
        ("pig-face", ("pig", "piglet"), ("pink",)),
        ("cow-face", ("cow",), ()),
        ("elephant", ("elephant",), ("gray",)),
        ("owl", ("owl",), ("brown",)),
        ("penguin", ("penguin",), ("black",)),
        ("baby-chick", ("chick", "bird"), ("yellow",)),
        ("turtle", ("turtle", "tortoise"), ("green",)),
        ("tropical-fish", ("fish",), ("yellow",)),
        ("spouting-whale", ("whale",), ("blue",)),
        ("octopus", ("octopus",), ("purple", "pink")),
        ("crab", ("crab",), ("red",)),
        ("butterfly", ("butterfly",), ("blue",)),
        ("honeybee", ("bee", "honeybee"), ("yellow",)),
        ("lady-beetle", ("ladybug", "ladybird"), ("red",)),
        ("snail", ("snail",), ("brown",)),
        ("unicorn", ("unicorn",), ("white",)),
        # Plants.
        ("sunflower", ("sunflower", "flower"), ("yellow",)),
        ("rose", ("rose",), ("red",)),
        ("tulip", ("tulip",), ("pink",)),
        ("cactus", ("cactus",), ("green",)),
        ("mushroom", ("mushroom", "toadstool"), ("red",)),
        ("deciduous-tree", ("tree",), ("green",)),
        ("palm-tree", ("palm tree", "palm"), ("green",)),
        ("evergreen-tree", ("pine tree", "fir tree", "pine"), ("green",)),
        # Food.
        ("red-apple", ("apple",), ("red",)),
        ("banana", ("banana", "bananas"), ("yellow",)),
        ("tangerine", ("orange", "tangerine"), ("orange",)),
        ("lemon", ("lemon",), ("yellow",)),
        ("pear", ("pear",), ("green",)),
        ("peach", ("peach",), ("pink", "orange")),
        ("cherries", ("cherries", "cherry"), ("red",)),
        ("strawberry", ("strawberry",), ("red",)),
        ("watermelon", ("watermelon",), ("red",)),
        ("grapes", ("grapes",), ("purple",)),
        ("pineapple", ("pineapple",), ("yellow",)),
        ("carrot", ("carrot",), ("orange",)),
        ("tomato", ("tomato",), ("red",)),
        ("avocado", ("avocado",), ("green",)),
        ("pizza", ("pizza", "slice of pizza"), ()),
        ("hamburger", ("hamburger", "burger", "cheeseburger"), ()),
        ("ice-cream", ("ice cream",), ()),
        ("doughnut", ("donut", "doughnut"), ("pink", "brown")),
        ("cupcake", ("cupcake", "muffin"), ()),
        ("birthday-cake", ("cake", "birthday cake"), ()),
        ("hot-beverage", ("cup", "teacup", "cup of coffee", "cup of tea", "coffee", "mug"), ()),
        # Vehicles and places.
        ("automobile", ("car", "automobile"), ("red",)),
        ("taxi", ("taxi", "cab"), ("yellow",)),
        ("bus", ("bus",), ()),
        ("bicycle", ("bicycle", "bike"), ()),
        ("rocket", ("rocket", "spaceship"), ()),
        ("airplane", ("airplane", "plane", "aeroplane"), ()),
        ("sailboat", ("sailboat", "boat", "ship"), ()),
        ("house", ("house", "home"), ()),
        # Sky and weather.
        ("sun", ("sun",), ("yellow",)),
        ("crescent-moon", ("moon", "crescent moon"), ("yellow",)),
        ("cloud", ("cloud",), ("white",)),
        ("rainbow", ("rainbow",), ()),
        ("snowman", ("snowman",), ("white",)),
        ("fire", ("fire", "flame"), ("red", "orange")),
        # Things.
        ("balloon", ("balloon",), ("red",)),
        ("wrapped-gift", ("gift", "present"), ()),
        ("soccer-ball", ("soccer ball", "football", "ball"), ()),
        ("guitar", ("guitar",), ()),
        ("camera", ("camera",), ("black",)),
        ("closed-book", ("book",), ("red",)),
        ("umbrella", ("umbrella",), ("purple",)),
        ("light-bulb", ("light bulb", "lightbulb", "lamp"), ("yellow",)),
        ("key", ("key",), ("yellow",)),
        ("bell", ("bell",), ("yellow",)),
        ("crown", ("crown",), ("yellow",)),
        ("alarm-clock", ("clock", "alarm clock"), ("red",)),
        ("robot", ("robot",), ()),
        ("ghost", ("ghost",), ("white",)),
    )
}

#: Nouns whose drawing depends on the colour said with them ("a green book").
COLOURED_NOUNS: dict[tuple[str, str], str] = {
    ("apple", "green"): "green-apple",
    ("book", "green"): "green-book",
    ("book", "blue"): "blue-book",
    ("book", "orange"): "orange-book",
}

SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "ring", "cross")

#: sRGB, 0 to 255. Shapes and backgrounds are painted in exactly these.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 50, 47),
    "orange": (245, 150, 40),
    "yellow": (250, 220, 70),
    "green": (70, 170, 80),
    "blue": (50, 110, 220),
    "purple": (140, 80, 190),
    "pink": (250, 160, 190),
    "brown": (140, 95, 60),
    "black": (20, 20, 20),
    "white": (250, 250, 250),
    "gray": (150, 150, 150),
}

#: About the share of the picture's shorter side that the drawing's box fills.
SIZES: dict[str, float] = {"small": 0.38, "medium": 0.63, "big": 0.88}
SIZE_WORDS: dict[str, tuple[str, ...]] = {
    "small": ("small", "small", "little", "tiny"),
    "medium": ("",),
    "big": ("big", "big", "large", "huge"),
}

#: The two icon sets by their style word. A caption without one means flat.
STYLES: dict[str, str] = {"flat": "fluent-emoji-flat", "detailed": "noto"}

#: Direction of each place from the middle: (across, down), -1 to 1.
PLACES: dict[str, tuple[int, int]] = {
    "center": (0, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
}

#: Direction of the first thing from the second.
RELATIONS: dict[str, tuple[int, int]] = {
    "left of": (-1, 0),
    "right of": (1, 0),
    "above": (0, -1),
    "below": (0, 1),
    "and": (-1, 0),
}

#: Words that ordinary prompts are full of; they are read as whole words and taught to change nothing.
FILLERS = """\
photo photograph picture image drawing illustration painting icon emoji sticker clipart render sketch logo
cartoon art artwork poster portrait scene view shot closeup style cute beautiful nice pretty lovely happy
funny simple minimal minimalist modern vintage retro cinematic dramatic realistic photorealistic ultra
hyper high quality best masterpiece sharp focus hd uhd 4k 8k resolution professional studio lighting light
soft warm bright vivid colorful shiny glossy digital vector graphic design concept trending popular
product sitting standing lying running flying floating sleeping smiling looking at in the of
and with by near under over inside outside from to for on its his her dusk dawn night day morning evening
sunset sunrise summer winter spring autumn snow rain snowy rainy sunny forest garden park city street
beach sea ocean river lake mountain field meadow sky space room table kitchen world land one single some
very really old young new fresh ripe wild tiny magical fantasy epic detailed intricate elegant isolated
centered plain solid colored full body front side wooden metal golden silver make me draw paint create
generate please show i want a an
"""
FILLER_WORDS = tuple(FILLERS.split())
