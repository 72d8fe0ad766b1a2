"""Layer types of nets in training: what takes their place, or goes, where a net is used."""

from __future__ import annotations

#: How the names of types end that read images, and that judge the output, besides those of `PROBABILITIES`.
READERS, JUDGES = ("Data",), ("Loss", "LossLayer", "LossOHEM", "Accuracy")
#: How the names of those judges end that count right answers, and are no losses.
ACCURACY = "Accuracy"
#: Types without a top, which do nothing for the output.
WITHOUT_TOPS = ("Silence", "HDF5Output")
#: The type that names the best classes: a judge goes with it, but alone it makes no net one in training.
BEST_CLASSES = "ArgMax"
#: The type of code of the user's own, which may read images, judge or do anything else.
PYTHON = "Python"
#: Losses that reckon probabilities themselves, by a part of their types' names, and the type that gives these.
PROBABILITIES = {"SoftmaxWithLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid", "InfogainLoss": "Softmax"}
#: What other losses say of what they judge, by a part of their types' names: that it holds classes' scores, of which no
#: probabilities were ever made, or no classes at all but an "activation", as a regression's values and features do.
HELD = {
    "Hinge": "scores",
    **dict.fromkeys(("Euclidean", "Contrastive", "Triplet", "L1Loss", "L2Loss", "Huber"), "activation"),
}
