"""The ways to make a map, each in a file, and their registry."""
