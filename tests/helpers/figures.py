"""What is written on a figure's page, and whether it can be read."""

from __future__ import annotations

from matplotlib.figure import Figure


def words(figure: Figure) -> str:
    """All that is written on a page."""
    return " ".join(text.get_text() for text in figure.texts).replace("\N{NO-BREAK SPACE}", " ")


def no_overlap(figure: Figure) -> None:
    """Texts lie on the page, not on each other nor on a picture."""
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    page = figure.bbox
    for number, box in enumerate(boxes):
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1
        others = boxes[:number] + [axes.get_window_extent(renderer) for axes in figure.axes]
        for other in others:
            apart = box.x1 <= other.x0 or other.x1 <= box.x0 or box.y1 <= other.y0 or other.y1 <= box.y0
            assert apart, figure.texts[number].get_text()
