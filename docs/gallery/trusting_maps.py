"""
Can a map be trusted?
=====================

Two questions that need no opinion: does the prediction fall when what the map calls relevant goes, and does the map
change when the net forgets what it has learnt?
"""

import predicdiff as pd
from predicdiff.judging.faithfulness import faithfulness
from predicdiff.judging.randomisation import randomisation
from predicdiff.samplers.corpus import bundled

net = pd.load_net("efficientnet_lite0")
photographs = bundled()
images = {name: photographs[name] for name in ("chelsea", "coffee", "rocket")}
corpus, _ = pd.default_corpus(net.input_shape)
how = {"sampler": pd.MarginalSampler(corpus), "window": 32, "stride": 24, "samples": 2}

# %%
# Deletion and insertion: squares are blurred, or put back, those first that a map calls most relevant. Three images
# say little; take dozens, as ``predicdiff faithfulness PHOTOS`` does.

curves = faithfulness(net, images, methods=["prediction difference", "occlusion", "random"], steps=7, **how)
print(curves.table())
drawn = curves.figure()

# %%
# Random weights: the last layer's weights are shuffled, then twenty layers'. Maps that stayed alike would not show what
# the net has learnt; the correlation with the untouched net's map has to fall below that of two seeds.

some = {"chelsea": images["chelsea"]}
shuffled = randomisation(net, some, depths=[1, 20], **how)
print(shuffled.table())
