"""
Samplers compared
=================

A map depends on what stands in for a window: what other images have at that place (marginal sampling), what goes with
the pixels around it (conditional sampling), or plain grey (occlusion).
"""

import numpy as np

import predicdiff as pd
from predicdiff.overlays import picture
from predicdiff.plotting import Block, comparison_figure, figure, grid_figure
from predicdiff.samplers.corpus import bundled

net = pd.load_net("efficientnet_lite0")
image = bundled()["chelsea"]
corpus, _ = pd.default_corpus(net.input_shape, exclude=image)
samplers = {
    "marginal": pd.MarginalSampler(corpus),
    "conditional": pd.GaussianSampler.fit(corpus, context=24, seed=0),
}

# %%
# What they put into a window between the cat's eyes.

pixels, place = net.view(image), (70, 130)
rows = []
for sampler in samplers.values():
    draws = sampler.draw(pixels, np.array([place]), window=20, samples=4, seed=0)[0]
    filled = np.repeat(pixels[None], len(draws), axis=0)
    filled[:, :, place[0] : place[0] + 20, place[1] : place[1] + 20] = draws
    rows.append([picture(one[:, 40:120, 100:180]) for one in filled])
filled_windows = grid_figure([Block(picture(pixels), [""] * 4, rows)], list(samplers), legend=False)

# %%
# Their maps, and that of a grey patch, on one scale.

maps = {name: pd.explain(net, image, one, window=20, stride=10, samples=2) for name, one in samplers.items()}
both = figure(list(maps.values()), names=list(maps), scale="shared")

# %%
grey = pd.occlusion(net, image, window=20, stride=10, measure="evidence")
occluded = figure(grey, title="a grey patch")

# %%
# How alike are they? The correlation says it in a number; a third colour shows where one map says for and the other
# against.

comparison = pd.compare(maps["conditional"], maps["marginal"])
agreement = comparison_figure(comparison, title="conditional and marginal")
