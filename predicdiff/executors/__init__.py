"""Where tiles are computed: each file has a ``run_tiles`` that puts those that a journal lacks into it."""
