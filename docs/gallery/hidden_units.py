"""
Hidden units
============

Any unit of any layer can be explained, and what is taken away may be activations of a hidden layer instead of pixels.
"""

import predicdiff as pd
from predicdiff.plotting import figure
from predicdiff.samplers.corpus import bundled
from predicdiff.samplers.hidden import hidden_marginal

net = pd.load_net("efficientnet_lite0")
image = bundled()["chelsea"]
corpus, _ = pd.default_corpus(net.input_shape, exclude=image)
print({name: shape for name, shape in net.blobs.items() if name.endswith("expand")})

# %%
# What in the picture excites feature maps 3 and 8 of a middle layer? The measure is the activation difference: the mean
# activation of the map, less what is left of it without the window.

layer = "blocks.4.expand"
excited = [
    pd.explain(net, image, pd.MarginalSampler(corpus), window=20, stride=10, samples=2, blob=layer, channels=[channel])
    for channel in (3, 8)
]
maps = figure(excited)

# %%
# The other way round: which places of that layer speak for the class? The sampler then draws activations, and windows
# lie on the layer's maps of 14 x 14.

drawing = hidden_marginal(net, corpus, layer)
places = pd.explain(net, image, drawing, start=layer, window=3, samples=4)
hidden = figure(places)
