"""Nets: where they come from, and the engines that run them.

Import-light on purpose: torch and caffe are imported by the modules that run them, when those are asked for.
"""
