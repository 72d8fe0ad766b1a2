"""One short module per figure or table of the paper; `make help` lists them. Nothing of the package imports this."""
