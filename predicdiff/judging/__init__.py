"""How far maps can be trusted: deletion and insertion curves, random weights, intervals."""
