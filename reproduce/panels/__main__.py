"""`python -m reproduce.panels`."""

from __future__ import annotations

from .comparison import main

if __name__ == "__main__":
    main()
