"""Where tiles are computed."""
