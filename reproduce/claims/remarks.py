"""What the page says beside the numbers: how far the table was kept to, and what a verdict does not mean."""

from __future__ import annotations

#: What was changed after the first numbers had been seen, and why.
CHANGED = (
    "Sizes were cut for time after the first runs had begun: squares of 48 x 48 became 40 x 40 (c, d, e), S = 8 in "
    "each half 4 (c1), three photographs of claim h two, and its square for GoogLeNet 14 x 14.",
    "Numbers were looked at several times as photographs were added. No correction is made for that.",
    "g: early and late layers are compared on as many channels, drawn at random for each photograph: before, 64 "
    "channels were held against 512 and more, which counted against the claim.",
    "g: random weights are told beside, by a shuffle for each photograph. Before, a single shuffle was a second null, "
    "against which the claim, which holds now, failed by SqueezeNet 1.1: late activations of the shuffled net were "
    "sparser still (0.89 against 0.85 over all channels).",
    "b: the residual is shifted round by 15 steps and no longer by one.",
    "c2: other units are drawn for each photograph, none near the explained class; before, all photographs shared "
    "them, and by SqueezeNet 1.1 the claim, which holds now, could not be told.",
    "f2: both sides are means over the same pairs: those of which scores and probabilities are known beyond their "
    "noise.",
    "c1: the median of k = 1 is of as many draws as that of k = 10.",
    "Photographs that do not differ at all, which had p = 0, tell nothing now.",
    "e: random weights are a shuffle for each photograph. Before, all photographs shared one.",
    "f1: random classes are drawn for each photograph. Before, all photographs shared them, and most were dogs.",
    "j: both nets split the photographs that are drawn from in the same two halves, so that what two unlike halves "
    "have in common is not the photographs drawn.",
)

#: What holds for all lines.
GENERAL = (
    "SqueezeNet 1.1 is none of the paper's nets, which are AlexNet, GoogLeNet and VGG16: what it shows is said of "
    "another net than the paper's.",
    "Of the three photographs that the table has for GoogLeNet's single pixels (c, d, e), and of the five for its "
    "maps of a and b, only very large effects could be told.",
)

#: By line, what its numbers do not say.
OF_LINES = {
    "b": "A fifth of windows whose mean energy is not above its noise has no ratio, and its photograph no "
    "number. Where that is conditional sampling's lowest fifth, it is the claim's strongest case which "
    "is left out.",
    "c1": "That it holds means that effects can be told from noise, and not that they are large: the medians "
    "are below.",
    "e": "Only the square in the middle is seen, so that outlines elsewhere in a photograph do not count.",
    "f1": "Random classes are often dogs, as many of ILSVRC's classes are.",
    "f2": "Where two classes have nearly all of the probability, it is arithmetic: what speaks for the one "
    "speaks against the other. Also where one class alone is likely it is partly arithmetic, as a class "
    "gains what that one loses. Beside stand pairs with p1 + p2 below 0.9.",
}
