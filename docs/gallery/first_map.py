"""
A first map
===========

What in this picture made the network say "tiger cat"? A net, an image, a sampler, and one call.
"""

import predicdiff as pd
from predicdiff.plotting import figure
from predicdiff.samplers.corpus import bundled

net = pd.load_net("efficientnet_lite0")
image = bundled()["chelsea"]  # or pd.load_image("cat.jpg")

# %%
# A sampler says what else could have stood in a window. This one draws from a Gaussian, given the pixels around the
# window. It is fitted to other photographs: no crop of the corpus shows the explained image.

corpus, _ = pd.default_corpus(net.input_shape, exclude=image)
sampler = pd.GaussianSampler.fit(corpus, context=24, seed=0)

# %%
# Windows of 20 x 20 pixels, ten pixels apart, each filled twice.

result = pd.explain(net, image, sampler, window=20, stride=10, samples=2)
drawn = figure(result)

# %%
# Red speaks for the class, blue against it. The numbers are weights of evidence in bits: without a window of 2 bits,
# the odds of the class would be a quarter of what they are.

target = result.targets[0]
print(f"{target.title}: {result.base[0]:.2f}")
print(f"relevance from {result.relevance.min():.2f} to {result.relevance.max():.2f} bits")
print(f"standard error of the draws, mean: {result.stderr.mean():.3f} bits")
print(f"estimated correlation with the map of stride 1 and infinitely many draws: {result.reliability[0]:.2f}")

# %%
# What lies within two standard errors of zero may be nothing. ``sure=True`` leaves it clear.

certain = figure(result, sure=True, on_image=True)

# %%
# On the command line this is
#
# .. code-block:: sh
#
#    predicdiff explain -k 20 --stride 10 -S 2
