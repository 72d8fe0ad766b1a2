"""What several tests share: nets, loops, servers, pictures."""
