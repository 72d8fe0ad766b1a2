"""Rectangles that changes reach, against loops over single places."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.nets.engine import geometry
from predicdiff.nets.engine.geometry import Box, Reach, Rectangles, Span


@st.composite
def reaches(draw: st.DrawFn) -> Reach:
    """Of layers that look over either border, of such that leave inputs out, and of such that set them apart."""
    kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    before, length = draw(st.integers(-3, 4)), draw(st.integers(1, 12))
    up = draw(st.sampled_from([1, 1, 2, 3]))
    stride = draw(st.integers(1, 5)) if up == 1 else 1
    return Reach(kernel, stride, before, length, draw(st.integers(1, 9)), dilation, up)


@st.composite
def spans(draw: st.DrawFn, count: int = 4, limit: int = 12) -> Span:
    """Ranges in 0 ... limit, some empty."""
    corners = st.lists(st.integers(0, limit), min_size=count, max_size=count)
    return Span(np.array(draw(corners)), np.array(draw(corners)))


@st.composite
def rectangles(draw: st.DrawFn, count: int = 4, limit: int = 12) -> Rectangles:
    return Rectangles(draw(spans(count, limit)), draw(spans(count, limit)))


def seen(reach: Reach, output: int) -> list[int]:
    """Places, of which every ``up``-th is an input."""
    return [output * reach.stride - reach.before + reach.dilation * tap for tap in range(reach.kernel)]


def places(span: Span, window: int) -> set[int]:
    return set(range(span.start[window], span.stop[window]))


@given(reach=reaches(), span=spans())
def test_affected_outputs_are_those_that_see_something_of_the_range(reach: Reach, span: Span) -> None:
    reached = reach.affected(span)
    for window in range(4):
        inputs = places(span, window)
        at = {place * reach.up for place in inputs}
        wanted = {o for o in range(reach.size) if at.intersection(seen(reach, o))}
        straddling = [o for o in range(-40, 80) if at.intersection(range(seen(reach, o)[0], seen(reach, o)[-1] + 1))]
        between = set(range(min(straddling), max(straddling) + 1)) if straddling else set()
        assert wanted <= places(reached, window) == between.intersection(range(reach.size))
        assert 0 <= reached.start[window] <= reached.stop[window] <= reach.size
        if reach.dilation == reach.up == 1:
            assert wanted == between.intersection(range(reach.size))


@given(reach=reaches(), start=st.integers(0, 8), size=st.integers(1, 9))
def test_what_a_run_of_outputs_sees(reach: Reach, start: int, size: int) -> None:
    counts = []
    for begin in range(start, start + reach.up):  # in every phase
        every = [place for output in range(begin, begin + size) for place in seen(reach, output)]
        (origin,), (phase,) = reach.origin(np.array([begin])), reach.phase(np.array([begin]))
        assert origin * reach.up <= origin * reach.up + phase == min(every) < (origin + 1) * reach.up
        counts.append(max(every) // reach.up - origin + 1)
    assert reach.needs(size) == max(counts)


@given(reach=reaches(), size=st.integers(1, 9))
def test_how_many_outputs_a_piece_gives(reach: Reach, size: int) -> None:
    """Those that see no place behind its last input, or what would stand between that and the next."""
    inside = [o for o in range(60) if o * reach.stride + reach.extent <= reach.needs(size) * reach.up]
    assert reach.gives(size) == len(inside) >= size + reach.up - 1


@given(reach=reaches())
def test_how_far_pieces_look_over_the_borders(reach: Reach) -> None:
    pieces = [(start, size) for start in range(reach.size) for size in range(1, reach.size + 1 - start)]
    begins = [int(reach.origin(np.array(start))) for start, _ in pieces]
    ends = [begin + reach.needs(size) for begin, (_, size) in zip(begins, pieces)]
    before, after = reach.border
    assert before == max(0, -min(begins))
    least = max(0, max(ends) - reach.length)
    assert after == least if reach.up == 1 else least <= after <= least + 1


def test_a_layers_reaches_are_those_along_rows_and_along_columns() -> None:
    rows, columns = geometry.reaches((3, 5), (1, 2), (0, 4), (9, 8), (7, 6))
    assert rows == Reach(kernel=3, stride=1, before=0, length=9, size=7, dilation=1)
    assert columns == Reach(kernel=5, stride=2, before=4, length=8, size=6, dilation=1)
    rows, columns = geometry.reaches((3, 5), (1, 2), (0, 4), (9, 8), (7, 6), (2, 3))
    assert (rows.dilation, columns.dilation) == (2, 3)
    rows, columns = geometry.reaches((3, 5), (1, 1), (0, 4), (9, 8), (7, 6), up=(2, 3))
    assert (rows.up, columns.up) == (2, 3)


@given(areas=rectangles(), rows=reaches(), columns=reaches())
def test_rows_and_columns_do_not_mix(areas: Rectangles, rows: Reach, columns: Reach) -> None:
    reached = geometry.affected(areas, (rows, columns))
    for span, wanted in zip(reached, (rows.affected(areas.rows), columns.affected(areas.columns))):
        np.testing.assert_array_equal(span, wanted)


def cells(areas: Rectangles, window: int) -> set[tuple[int, int]]:
    return {(r, c) for r in places(areas.rows, window) for c in places(areas.columns, window)}


@given(several=st.lists(rectangles(), min_size=1, max_size=4))
def test_the_union_is_the_smallest_rectangle_around_all(several: list[Rectangles]) -> None:
    reached = geometry.union(several)
    for window in range(4):
        inside = set().union(*(cells(areas, window) for areas in several))
        if not inside:
            assert reached.areas[window] == 0
            continue
        (top, left), (bottom, right) = np.min(list(inside), 0), np.max(list(inside), 0)
        assert cells(reached, window) == {(r, c) for r in range(top, bottom + 1) for c in range(left, right + 1)}


@given(areas=rectangles())
def test_areas_are_counted_and_windows_picked(areas: Rectangles) -> None:
    assert areas.areas.tolist() == [len(cells(areas, window)) for window in range(4)]
    picked = areas.of(np.array([3, 1, 3]))
    assert [cells(picked, i) for i in range(3)] == [cells(areas, window) for window in (3, 1, 3)]


def test_everything_is_the_whole_map_for_each_window() -> None:
    reached = geometry.everything(3, (4, 5))
    assert reached.areas.tolist() == [20, 20, 20]
    assert reached.rows.start.tolist() == [0, 0, 0]
    assert reached.columns.stop.tolist() == [5, 5, 5]


def test_a_stack_keeps_each_maps_rectangles() -> None:
    one = Rectangles(Span(np.array([1, 2]), np.array([3, 4])), Span(np.array([0, 0]), np.array([1, 2])))
    whole = geometry.everything(2, (7, 8))
    stacked = geometry.stack([one, whole])
    assert stacked.areas.tolist() == [[2, 4], [56, 56]]
    assert stacked.of(np.array([1])).areas.tolist() == [[4], [56]]


@given(several=st.lists(rectangles(), min_size=1, max_size=3), share=st.sampled_from([0.0, 0.3, 0.7, 1.0, 2.0]))
def test_boxes_are_of_one_size_inside_the_map_and_hold_the_rectangles(several: list[Rectangles], share: float) -> None:
    sizes = np.full((len(several), 2), [12, 13])
    boxes = geometry.level(geometry.stack(several), sizes, share=share)
    assert len(boxes) == len(several)
    for areas, box in zip(several, boxes):
        filled = [window for window in range(4) if areas.areas[window]]
        sides = [max((int(s.stop[w] - s.start[w]) for w in filled), default=0) for s in areas]
        whole = sides[0] * sides[1] >= share * 12 * 13
        assert (box.height, box.width) == ((12, 13) if whole else tuple(sides))
        assert all(type(side) is int for side in box[2:])
        assert (box.row >= 0).all()
        assert (box.row + box.height <= 12).all()
        assert (box.column >= 0).all()
        assert (box.column + box.width <= 13).all()
        for window in filled:
            assert cells(areas, window) <= set(held(box, window))


def held(box: Box, window: int) -> list[tuple[int, int]]:
    rows, columns = (range(corner[window], corner[window] + side) for corner, side in zip(box[:2], box[2:]))
    return [(r, c) for r in rows for c in columns]


@given(several=st.lists(rectangles(limit=3), min_size=1, max_size=3))
def test_windows_of_the_same_sizes_follow_each_other(several: list[Rectangles]) -> None:
    stacked = geometry.stack(several)
    order = geometry.by_size(stacked)
    assert sorted(order) == [0, 1, 2, 3]
    sizes = [tuple(int(s.stop[v, w] - s.start[v, w]) for s in stacked for v in range(len(several))) for w in order]
    runs = 1 + sum(one != other for one, other in zip(sizes, sizes[1:]))
    assert runs == len(set(sizes))


@given(offset=st.integers(-9, 9), size=st.integers(0, 6), limit=st.integers(0, 6))
def test_overlap_is_the_part_of_a_run_that_lies_inside(offset: int, size: int, limit: int) -> None:
    there, part = geometry.overlap(offset, size, limit)
    inside = [(offset + i, i) for i in range(size) if 0 <= offset + i < limit]
    assert list(zip(range(limit)[there], range(size)[part])) == inside
    assert there.start >= 0
    assert there.stop - there.start == len(inside)
    if inside:
        assert (part.start, part.stop) == (inside[0][1], inside[-1][1] + 1)
