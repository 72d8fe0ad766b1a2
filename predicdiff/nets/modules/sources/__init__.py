"""What modules are made of besides a user's own hands: one file for each kind of source."""
