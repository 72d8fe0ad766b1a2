"""Many images, explained alike: here or by workers, into a folder, and what all of their maps say together."""
