"""
Segments and regions
====================

Windows need not be squares, nor lie everywhere.
"""

import predicdiff as pd
from predicdiff.plotting import figure
from predicdiff.samplers.corpus import bundled

net = pd.load_net("efficientnet_lite0")
image = bundled()["chelsea"]
corpus, _ = pd.default_corpus(net.input_shape, exclude=image)
sampler = pd.MarginalSampler(corpus)

# %%
# Fifty segments of scikit-image's SLIC, each taken away as a whole. An array of whole numbers, a segment each, serves
# as well.

pieces = pd.explain(net, image, sampler, segments="slic:50", samples=8)
segments = figure(pieces, title="segments")

# %%
# Whole rows, sixteen at a time: how much does each height of the picture matter?

rows = pd.explain(net, image, sampler, window=(16, "all"), stride=(8, 1), samples=8)
strips = figure(rows, title="rows")

# %%
# Windows kept to a part of the picture, here the cat's face: row, column, height and width in the picture's own pixels.
# All evaluations go into that part, and the rest is not known.

face = pd.explain(net, image, sampler, window=16, stride=8, samples=4, region=(30, 100, 200, 220))
region = figure(face, title="a region", on_image=True)
