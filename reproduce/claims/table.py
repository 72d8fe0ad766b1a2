"""The table of claims: what each says, and what would count for it.

Statistics, nulls and the smallest effects that count stood here before the first run; `remarks.CHANGED` lists what was
changed afterwards.
"""

from __future__ import annotations

from .line import FAST, SLOW, SMOKE, Line, Size

#: What verdicts are made of; draws of two halves are independent.
SQUARE = "{side} x {side} pixels, k = 10, S = {draws} in each half, stride {stride}"
SINGLE = "{side} x {side} pixels, k = 1, S = 2 in each half, stride 1"

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
    made_of=SQUARE,
)

B = Line(
    name="b",
    claim="Conditional sampling takes weight from windows that their surroundings predict.",
    section="4.1, figure 1",
    statistic="log2 of conditional over marginal energy: the fifth of windows hardest to predict less the easiest",
    nulls=("residual shifted round", "another photograph's residual"),
    least=0.5,
    sizes=WEIGHED,
    made_of=SQUARE,
)

_SINGLE = {SMOKE: Size(2, 20, 4, 4), FAST: Size(20, 40, 4, 4), SLOW: Size(3, 64, 4, 4)}
C1 = Line(
    name="c1",
    claim="Removing a single pixel changes the prediction.",
    section="4, figure 3",
    statistic="share of single pixels, every fourth each way, whose effect in bits is beyond its error (t test, 5 %)",
    nulls=("pure noise",),  # the same of the difference of the two halves, in which there is no effect
    least=0.1,  # what a reader would see at a glance: one pixel in ten more than noise gives
    sizes=_SINGLE,
    made_of="{side} x {side} pixels, k = 1, S = {draws} in each half, stride {stride}",
)
C2 = Line(
    name="c2",
    claim="Removing a pixel changes it most where the net is sensitive.",
    section="4, figure 3",
    statistic="rank correlation of how large a pixel's effect on the score is, and how large the score's gradient is",
    nulls=("gradients of other units",),
    least=0.1,  # beyond what the gradients of other classes tell; less would not be seen in two maps side by side
    sizes=_SINGLE,
    made_of=SINGLE,
)

_SUMS = {SMOKE: Size(2, 20, 2, 4), FAST: Size(20, 40, 4, 4), SLOW: Size(3, 64, 4, 4)}
D1 = Line(
    name="d1",
    claim="Maps of larger patches are not averages of those of smaller ones (marginal draws).",
    section="4, figure 2",
    statistic="correlation of scores' windows (k = 10, not spread) with sums of their single pixels, noise taken out",
    nulls=("a linear net",),  # exactly 1
    least=0.1,  # with 0.9 a fifth of the variance is not that of the sum
    sizes=_SUMS,
    less=True,
    made_of=SQUARE + "; of k = 1, S = 1 in each half, stride 1",
)
D2 = Line(
    name="d2",
    claim="Maps of larger patches are not averages of those of smaller ones (conditional draws).",
    section="4, figure 2",
    statistic="correlation of scores' windows (k = 10, not spread) with sums of their single pixels, noise taken out",
    nulls=("the net's own linearisation",),
    least=0.1,
    sizes=_SUMS,
    less=True,
    made_of=SQUARE + "; of k = 1, S = 2 in each half, stride 1",
)

E = Line(
    name="e",
    claim="Single pixels mark outlines.",
    section="4, figure 3",
    statistic="mean rank, 0 to 1, of edges (Sobel, grey) under the 5 % of pixels with the largest effects on the score",
    nulls=("sensitivity map", "residual alone", "random weights", "shifted maps"),
    least=0.05,  # shifted maps have 0.5, and the 5 % with the strongest edges 0.975: a tenth of the way
    sizes={SMOKE: Size(2, 20, 1), FAST: Size(20, 40), SLOW: Size(3, 64)},
    made_of=SINGLE,
)

#: Windows of nets that see 224 and 227 of 256 pixels lie on the same pixels with this side.
_CLASSES = {SMOKE: Size(2, 20, 2, 4), FAST: Size(20, 223, 2, 12), SLOW: Size(10, 223, 2, 12)}
F1 = Line(
    name="f1",
    claim="Before the softmax maps of similar classes are alike.",
    section="4, figure 4",
    statistic="correlation of scores' maps of classes among the top three that are near in WordNet, noise taken out",
    nulls=("random classes",),
    least=0.1,  # a difference that two pictures side by side would show
    sizes=_CLASSES,
    made_of=SQUARE,
)
F2 = Line(
    name="f2",
    claim="Behind the softmax maps of similar classes are less alike than before it.",
    section="4, figure 4",
    statistic="correlation of scores' maps of classes among the top three that are near in WordNet, noise taken out",
    nulls=("the same of probabilities",),
    least=0.1,
    sizes=_CLASSES,
    made_of=SQUARE,
)

G = Line(
    name="g",
    claim="Late activations are sparse over channels.",
    section="4, figure 5",
    statistic="Hoyer's sparseness over channels of the late layer behind its ReLU, as many as the early one has, at 49 "
    "random places",
    nulls=("early layer",),
    least=0.1,  # noise behind a ReLU has about 0.45, and one channel alone 1
    sizes={SMOKE: Size(2, side=0), FAST: Size(20, side=0), SLOW: Size(20, side=0)},
)

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
            FAST: Size(2, side=28, draws=200),
            SLOW: Size(2, side=14, draws=200),
        },
        told=False,
        made_of="{side} x {side} pixels, S = 20 against {draws}, " + ("stride 1" if name == "h1" else "stride 2"),
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
    sizes={SMOKE: Size(1, side=0), FAST: Size(1, side=0), SLOW: Size(1, side=0)},
    told=False,
)

J = Line(
    name="j",
    claim="The classifiers decide differently.",
    section="4.1, figure 1",
    statistic="correlation of two nets' maps of the same class's score, noise taken out",
    nulls=("the same map",),  # exactly 1
    least=0.2,  # well beyond what draws of two corpora, or a pixel between the two views, can do
    sizes={**_CLASSES, FAST: _CLASSES[SLOW]},
    less=True,
    made_of=SQUARE,
)

LINES: tuple[Line, ...] = (A, B, C1, C2, D1, D2, E, F1, F2, G, H1, H2, DURATION, J)

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
