"""Where windows lie, of what shape they are, and how what they give comes back to pixels."""
