"""Exact evaluation of many small changes of one input, whoever's net it is."""
