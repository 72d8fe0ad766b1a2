"""Studies: maps of many images in one folder, and what they say together."""
