"""Files that hurt: what they are, what opens them, and how they are held to bounds."""
