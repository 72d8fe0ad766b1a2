"""Results and studies as pages for any browser: one file of HTML that needs no network and no program besides."""

from __future__ import annotations

from .maps import maps_page, save_page
from .study import save_report

__all__ = ["maps_page", "save_page", "save_report"]
