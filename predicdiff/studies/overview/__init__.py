"""What the maps of a study say together, and how far two studies agree: read of their folders, and left as they are."""
