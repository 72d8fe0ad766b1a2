"""Weights and mean images: where they come from, downloaded and checked."""
