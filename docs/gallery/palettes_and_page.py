"""
Palettes, and a page for the browser
====================================

The paper's colours are not for all eyes, and a picture is not all that a map can be.
"""

import predicdiff as pd
from predicdiff.palettes import COLOUR_MAPS
from predicdiff.plotting import figure
from predicdiff.samplers.corpus import bundled

net = pd.load_net("efficientnet_lite0")
image = bundled()["chelsea"]
corpus, _ = pd.default_corpus(net.input_shape, exclude=image)
sampler = pd.MarginalSampler(corpus)
result = pd.explain(net, image, sampler, window=32, stride=16, samples=2, units=["tiger cat", "Egyptian cat"])

# %%
# Legends, captions and help take their words from the palette. ``scale="shared"`` gives both maps one scale; by
# default each has its own.

for name, colours in COLOUR_MAPS.items():
    print(f"{name}: {colours.positive} for, {colours.negative} against; {colours.about}")
paper = figure(result, scale="shared")

# %%
# For eyes that do not tell red from green, nor blue from purple:

okabe = figure(result, scale="shared", cmap="okabe")

# %%
# As a page: the relevance, its standard error and the window that matters most at the pixel under the pointer, with
# opacity, threshold, scale and palette to choose. A notebook shows an `Explanation` so by itself; ``predicdiff show
# cat.h5 --html cat.html`` and `predicdiff.page.save_page` write it as a file that needs no network.

result
