"""Layer types of nets in training: what takes their place, or goes, where a net is used."""

from __future__ import annotations

#: How the names of types end that read images, and that judge the output, besides those of `PROBABILITIES`.
READERS, JUDGES = ("Data",), ("Loss", "LossLayer", "LossOHEM", "Accuracy")
#: Types whose tops are none, so that they do nothing for the output.
SILENT = ("Silence", "HDF5Output")
#: The one among them that is no loss.
COUNTING = "Accuracy"
#: A type that is left out beside such, and is no reason to make a deploy net.
BESIDE = "ArgMax"
#: A type whose layer may be anything.
ANYTHING = "Python"
#: Losses that reckon probabilities themselves, by a part of their types' names, and the type that gives these.
PROBABILITIES = {"SoftmaxWithLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid", "InfogainLoss": "Softmax"}
