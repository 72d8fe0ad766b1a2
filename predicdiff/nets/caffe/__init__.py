"""Caffe's nets: its files, its layer types, and what runs them: torch, or Caffe itself."""
