"""A paper's own panels, held against our maps of the same pictures.

Two commands: `comparison`, which `python -m reproduce.panels` is, and `settings`, of conditional sampling.
From the ground up: `folder`, `pictures` (what panels are and show), `request`, `maps`, `jobs` (our maps of their
pictures), `nulls`, `ceiling` (what their agreement means), `table`; `variants` are the settings that `settings` tries.
"""
