"""
A module of one's own
=====================

Any ``torch.nn.Module`` is explained as it is. This one's answer is known beforehand, so that one sees whether the map
tells the truth.
"""

import numpy as np
import torch

import predicdiff as pd
from predicdiff.plotting import figure


class Stripes(torch.nn.Module):
    """Scores of two classes: how much brightness changes from left to right, and from top to bottom."""

    def forward(self, images):
        across = (images[..., 1:] - images[..., :-1]).abs().mean((1, 2, 3))
        down = (images[..., 1:, :] - images[..., :-1, :]).abs().mean((1, 2, 3))
        return torch.stack([across, down], dim=1) / 10


net = pd.load_net(
    Stripes(), input_shape=(3, 48, 48), preprocessing=pd.Preprocessing(), labels=["upright stripes", "level stripes"]
)

# %%
# A picture with upright stripes on its left, level ones on its right, and grey between them.

image = np.full((48, 48, 3), 128, np.uint8)
image[8:40, 4:20] = np.where(np.arange(16) % 4 < 2, 40, 215)[None, :, None]
image[8:40, 28:44] = np.where(np.arange(32) % 4 < 2, 40, 215)[:, None, None]

# %%
# What else could have stood in a window? Here, smooth greys of any brightness.

greys = np.random.default_rng(0).uniform(60, 200, (40, 1, 1, 1))
sampler = pd.MarginalSampler(greys * np.ones((1, 3, 48, 48)))
result = pd.explain(net, image, sampler, window=6, samples=8, stride=2, units=["upright stripes"])
drawn = figure(result)

# %%
# What is for upright stripes lies on the left, what is against them on the right. The grey between them says nothing,
# except where a window of another brightness adds edges of its own: those of its sides cancel those of its top and
# bottom.

left, middle, right = (result.relevance[0, 12:36, columns].mean() for columns in (slice(6, 18), 24, slice(30, 42)))
print(f"left {left:+.3f} bits, middle {middle:+.3f} bits, right {right:+.3f} bits")

# %%
# `check_net` tries out objects of one's own that are no modules, and says which abilities it found.

print(pd.check_net(net))
