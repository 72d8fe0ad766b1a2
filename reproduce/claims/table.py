"""The table of claims, as it stood before anything was measured: what each says, and what would count for it."""

from __future__ import annotations

from .line import FAST, SLOW, SMOKE, Line, Size

#: Of the claims that hold conditional maps against marginal ones: these share their windows.
WEIGHED = {SMOKE: Size(2, side=36, draws=1, stride=3), FAST: Size(20), SLOW: Size(5)}

A = Line(
    name="a",
    claim="Maps by conditional sampling are sharper, more refined, than those by marginal sampling.",
    section="4.1, figure 1",
    statistic="share of the energy above one cycle in 32 pixels, by the cross-spectrum of two halves of the map",
    nulls=("marginal",),
    least=0.02,
    sizes=WEIGHED,
)

B = Line(
    name="b",
    claim="Conditional sampling takes weight from windows that their surroundings predict.",
    section="4.1, figure 1",
    statistic="log2 of conditional over marginal energy: the fifth of windows hardest to predict less the easiest",
    nulls=("residual shifted round", "another photograph's residual"),
    least=0.5,
    sizes=WEIGHED,
)

# c

# d

# e

# f

# g

H1, H2 = (
    Line(
        name=name,
        claim=f"S = 20 draws are enough for {windows} (the paper takes 20 and claims nothing; enough would be 0.99).",
        section="4",
        statistic="correlation of the map of 20 draws with the true one, which 200 others tell, their noise taken out",
        nulls=(),
        least=0.99,
        sizes={
            SMOKE: Size(2, side=14, draws=20),
            FAST: Size(3, side=28, draws=200),
            SLOW: Size(2, side=20, draws=200),
        },
        told=False,
    )
    for name, windows in (("h1", "windows of 10 x 10"), ("h2", "single pixels"))
)

DURATION = Line(
    name="i",
    claim="An image takes half an hour with AlexNet, one with GoogLeNet, five with VGG16, on their GPU.",
    section="4",
    statistic="minutes that an image takes here, with the paper's settings, k = 10, S = 20, all windows",
    nulls=(),
    least=0.0,
    sizes={SMOKE: Size(1), FAST: Size(1), SLOW: Size(1)},
    told=False,
)

# j

LINES: tuple[Line, ...] = (
    A,
    B,
    # c
    # d
    # e
    # f
    # g
    H1,
    H2,
    DURATION,
    # j
)

#: What the paper's section 4 says and is not measured, with the reason.
NOT_MEASURED: tuple[tuple[str, str], ...] = (
    (
        "Whose outline it is that single pixels mark: the animal's or the background's.",
        "That needs masks of what the photographs show, and there are none.",
    ),
    (
        "Whether the signs of single pixels make sense.",
        "Nobody knows what sign a pixel should have: there is nothing to hold it against.",
    ),
    (
        "That a picture's evidence lies where a person would look for it (the elephant's head, the penguin's beak).",
        "A judgement on single pictures; it needs people, or marked parts.",
    ),
    (
        "That larger windows give smoother maps that are easier to read, smaller ones more detail.",
        "The first part is arithmetic, since a map is an average over windows; the second is for people to judge.",
    ),
    (
        "What hidden units look for: edges and colours in early layers, parts of objects in late ones.",
        "That is read off pictures of chosen maps; a number for it would need labelled concepts.",
    ),
    (
        "That the net takes a part of the background for evidence of a class.",
        "Said of single pictures, and true of some picture for any net.",
    ),
)
