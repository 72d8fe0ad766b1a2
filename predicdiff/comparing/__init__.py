"""Two maps, or a map and a picture of one, held against each other."""
