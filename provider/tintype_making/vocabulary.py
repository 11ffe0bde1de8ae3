"""Every other word tintype is taught: colours, backgrounds, shapes, sizes, places, styles, counts. Data only."""

from .nouns import NOUNS

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

#: Side of the drawing's box in pixels: the same in every ratio, as far as there is room, for a drawing of another size
#: is learnt anew. And the sides where two small ones would have no room beside each other.
SIZES = {"small": 48, "medium": 80, "big": 112}
SIZES_WHERE_NARROW = {"small": 32, "medium": 48, "big": 80}
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
    "top left": (-1, -1),
    "top right": (1, -1),
    "bottom left": (-1, 1),
    "bottom right": (1, 1),
}

#: Where the things of a picture stand, by how many there are; the first is mentioned first where nothing else is said.
LAYOUTS: dict[int, tuple[tuple[str, ...], ...]] = {
    1: tuple((place,) for place in PLACES),
    2: (("left", "right"), ("top", "bottom")),
    3: (("top left", "top right", "bottom"), ("top", "bottom left", "bottom right")),
    4: (("top left", "top right", "bottom left", "bottom right"),),
}

COUNT_WORDS: dict[int, tuple[str, ...]] = {2: ("two", "2", "a pair of"), 3: ("three", "3"), 4: ("four", "4")}

#: What a background may be: one colour, or two of them from top to bottom.
GRADIENTS: tuple[str, ...] = tuple(f"{above} to {below}" for above in COLOURS for below in COLOURS if above != below)

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

#: Words that do mean something, and so are no filler.
RESERVED = frozenset(
    " ".join(
        [*COLOURS, *SHAPES, *PLACES, "flat detailed below under over on tiny near one and to from with make"]
        + [word for words in COUNT_WORDS.values() for word in words]
    ).split()
) | {word for noun in NOUNS.values() for name in noun.words for word in name.split()}
