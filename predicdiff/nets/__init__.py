"""Nets: layer records and their shapes, the engines that run them, and where weights come from.

Import-light on purpose: torch and caffe are imported by the modules that run them, when those are asked for.
"""
