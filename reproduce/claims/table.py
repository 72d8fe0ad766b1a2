"""The table of claims, as it stood before anything was measured: what each says, and what would count for it."""

from __future__ import annotations

from .line import FAST, SLOW, SMOKE, Line, Size

# a

# b

# c

_SINGLE = {SMOKE: Size(2, 20, 4, 4), FAST: Size(20, 48, 8, 4), SLOW: Size(3, 64, 8, 4)}
C1 = Line(
    "c1",
    "Removing a single pixel changes the prediction",
    "4, figure 3",
    "share of single pixels, every fourth along each axis, whose effect in bits is beyond its error (t test, 5 %)",
    # of white noise exactly that share is beyond
    ("pure noise",),
    least=0.1,  # what a reader would see at a glance: one pixel in ten more than noise gives
    sizes=_SINGLE,
)
C2 = Line(
    "c2",
    "Removing a pixel changes it most where the net is sensitive",
    "4, figure 3",
    "rank correlation of a pixel's |effect| on the score with the score's |gradient|",
    ("gradients of other units",),
    least=0.1,  # below that the gradient of any class would tell as much
    sizes=_SINGLE,
)

# d

_SUMS = {SMOKE: Size(2, 20, 2, 4), FAST: Size(20, 48, 4, 4), SLOW: Size(3, 64, 4, 4)}
D1 = Line(
    "d1",
    "Maps of larger patches are not averages of those of smaller ones (marginal draws)",
    "4, figure 2",
    "correlation of windows of 10 x 10, before spreading, with the sum of their single pixels, noise taken out; scores",
    ("a linear net",),  # exactly 1
    least=0.1,  # with 0.9 a fifth of the variance is not that of the sum
    sizes=_SUMS,
    less=True,
)
D2 = Line(
    "d2",
    "Maps of larger patches are not averages of those of smaller ones (conditional draws)",
    "4, figure 2",
    "correlation of windows of 10 x 10, before spreading, with the sum of their single pixels, noise taken out; scores",
    ("the net's own linearisation",),
    least=0.1,
    sizes=_SUMS,
    less=True,
)

# e

E = Line(
    "e",
    "Single pixels mark outlines",
    "4, figure 3",
    "mean rank (0 to 1) of edges (Sobel of the grey picture) under the 5 % of pixels with the largest |effect|; scores",
    ("sensitivity map", "|residual|", "random weights", "shifted maps"),
    least=0.05,  # shifted maps have 0.5, and the 5 % with the strongest edges 0.975: a tenth of the way
    sizes={SMOKE: Size(2, 20, 1), FAST: Size(20, 48), SLOW: Size(3, 64)},
)

# f

#: Windows of nets that see 224 and 227 of 256 pixels lie on the same pixels with this side.
_CLASSES = {SMOKE: Size(2, 20, 2, 4), FAST: Size(20, 223, 2, 12), SLOW: Size(10, 223, 2, 12)}
F1 = Line(
    "f1",
    "Before the softmax maps of similar classes are alike",
    "4, figure 4",
    "correlation of scores' maps of classes among the top three that are near in WordNet, noise taken out",
    ("random classes",),
    least=0.1,  # a difference that two pictures side by side would show
    sizes=_CLASSES,
)
F2 = Line(
    "f2",
    "Behind the softmax maps of similar classes are less alike than before it",
    "4, figure 4",
    "correlation of scores' maps of classes among the top three that are near in WordNet, noise taken out",
    ("the same of probabilities",),
    least=0.1,
    sizes=_CLASSES,
)

# g

G = Line(
    "g",
    "Late activations are sparse over channels",
    "4, figure 5",
    "Hoyer's sparseness over the late layer's channels behind its ReLU, mean of 49 random places",
    ("early layer", "random weights"),
    least=0.1,  # noise behind a ReLU has about 0.45, and one channel alone 1
    sizes={SMOKE: Size(2), FAST: Size(20), SLOW: Size(20)},
)

# h

# i

# j

J = Line(
    "j",
    "The classifiers decide differently",
    "4.1, figure 1",
    "correlation of two nets' maps of the same class's score, noise taken out",
    ("the same map",),  # exactly 1
    least=0.2,  # well beyond what draws of two corpora, or a pixel between the two views, can do
    sizes=_CLASSES,
    less=True,
)

LINES: tuple[Line, ...] = (
    # a
    # b
    C1,
    C2,
    D1,
    D2,
    E,
    F1,
    F2,
    G,
    # h
    # i
    J,
)
