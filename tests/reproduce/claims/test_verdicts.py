"""Intervals, corrections and verdicts of made photographs."""

from __future__ import annotations

from itertools import count
from typing import Any, Callable, Sequence

import numpy as np
import pytest
from scipy import stats


@pytest.fixture
def verdicts(module: Callable[[str], Any]) -> Any:
    return module("claims.verdicts")


@pytest.fixture
def line(module: Callable[[str], Any]) -> Callable[..., Any]:
    """A line of a table, with a name of its own."""
    numbers = count(1)

    def line(nulls: tuple[str, ...] = ("null",), least: float = 0.5, **how: Any) -> Any:
        return module("claims.line").Line(f"x{next(numbers)}", "", "4", "", nulls, least, {}, **how)

    return line


@pytest.fixture
def judge(module: Callable[[str], Any], verdicts: Any) -> Callable[..., list[Any]]:
    """Verdicts of lines with photographs' statistics; the nulls are 10 unless given."""

    def judge(lines: Sequence[Any], values: Sequence[Any], **nulls: Any) -> list[Any]:
        finding = module("claims.finding").Finding
        found = {}
        for line, each in zip(lines, values):
            against = {null: np.broadcast_to(nulls.get(null, 10.0), len(each)) for null in line.nulls}
            found[line.name] = {
                f"photo {n}": finding(10.0 + value, {null: one[n] for null, one in against.items()})
                for n, value in enumerate(each)
            }
        return [one.verdict for one in verdicts.judged(lines, found)]

    return judge


def test_the_interval_is_scipys(verdicts: Any) -> None:
    values = np.random.default_rng(0).normal(1, 2, 12)
    found = verdicts.effect([*values, float("nan")], 0.5)
    wanted = stats.ttest_1samp(values, 0.5)
    assert found.interval() == pytest.approx(stats.t.interval(0.95, 11, values.mean(), stats.sem(values)))
    assert (found.beyond, found.p) == pytest.approx((wanted.statistic, wanted.pvalue))
    assert len(found.values) == 12


@pytest.mark.parametrize("values", [[], [3.0], [float("nan"), 3.0]])
def test_of_one_photograph_nothing_can_be_told(verdicts: Any, values: list[float]) -> None:
    assert verdicts.effect(values, 0.5).p == 1.0


@pytest.mark.parametrize("values", [[3.0] * 5, [1 - 1 / 3, 2 / 3], [1e-16, -1e-16, 0.0]])
def test_of_photographs_that_do_not_differ_nothing_can_be_told(verdicts: Any, values: list[float]) -> None:
    found = verdicts.effect(values, 0.5)
    assert found.p == 1.0
    assert np.isnan([found.beyond, *found.interval()]).all()


def test_the_interval_after_holm_leaves_out_the_smallest_effect_where_there_is_a_verdict(
    verdicts: Any, line: Any, module: Callable[[str], Any]
) -> None:
    rng, finding, seen = np.random.default_rng(3), module("claims.finding").Finding, set()
    for _ in range(40):
        lines = [line(()) for _ in range(4)]
        found = {
            one.name: {str(n): finding(value) for n, value in enumerate(rng.normal(centre, 1, 8))}
            for one, centre in zip(lines, (-1.5, 0.5, 1.5, 2.5))
        }
        for judged in verdicts.judged(lines, found):
            low, high = judged.interval(judged.effect)
            word = "holds" if low > 0.5 else "does not" if high < 0.5 else "cannot be told"
            assert judged.verdict == word
            seen.add(word)
    assert len(seen) == 3


def test_holm_rejects_one_after_the_other(verdicts: Any) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = dict(zip("abcde", rng.uniform(0, 0.06, 5)))
        adjusted = verdicts.holm(p)
        rejected: list[
            str
        ] = []  # by the procedure as Holm has it: the smallest p against alpha / m, the next against ...
        while len(rejected) < 5:
            smallest = min(set(p) - set(rejected), key=lambda name: p[name])
            if p[smallest] > 0.05 / (5 - len(rejected)):
                break
            rejected.append(smallest)
        assert {name for name in p if adjusted[name] < 0.05} == set(rejected)


def test_a_planted_difference_holds_none_cannot_be_told_and_the_opposite_does_not(line: Any, judge: Any) -> None:
    noise = np.random.default_rng(0).normal(0, 1, (4, 20))
    lines = [line(), line(), line(), line(less=True)]
    planted = [2 + noise[0], 0.5 + noise[1], -1 + noise[2], -2 + noise[3]]
    assert judge(lines, planted) == ["holds", "cannot be told", "does not", "holds"]


def test_what_is_real_but_too_small_to_count_does_not_hold(line: Any, judge: Any) -> None:
    small = np.random.default_rng(0).normal(0.2, 0.05, 20)
    assert judge([line()], [small]) == ["does not"]
    assert judge([line(least=0.0)], [small]) == ["holds"]


def test_a_claim_holds_against_each_null_or_not_at_all(line: Any, judge: Any) -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, (2, 20))
    both = line(("null", "harder"))
    assert judge([both], [2 + noise[0]], harder=10 + noise[1]) == ["holds"]
    assert judge([both], [2 + noise[0]], harder=12 + noise[1]) == ["does not"]


def test_that_it_fails_against_any_of_several_nulls_takes_a_smaller_p(line: Any, judge: Any) -> None:
    noise = stats.zscore(np.random.default_rng(0).normal(size=20), ddof=1)
    short = 0.5 + noise - stats.t.isf(0.03 / 2, 19) / np.sqrt(20)  # of p = 0.03, and twice that out of two
    assert judge([line()], [short]) == ["does not"]
    assert judge([line(("null", "easier"))], [short], easier=0.0) == ["cannot be told"]


def test_lines_that_were_not_measured_count_in_the_correction(line: Any, judge: Any) -> None:
    noise = stats.zscore(np.random.default_rng(0).normal(size=20), ddof=1)
    values = 0.5 + noise + stats.t.isf(0.03 / 2, 19) / np.sqrt(20)  # of p = 0.03
    assert judge([line()], [values]) == ["holds"]
    assert judge([line() for _ in range(6)], [values]) == ["cannot be told"]


def test_a_reported_line_gets_no_verdict(line: Any, judge: Any) -> None:
    assert judge([line((), told=False), line()], [[5.0, 5.1, 5.2]]) == ["reported"]


def test_chance_makes_a_verdict_in_one_net_of_twenty(line: Any, judge: Any) -> None:
    rng, lines, nets = np.random.default_rng(1), [line() for _ in range(3)], 300
    wrong = sum(set(judge(lines, rng.normal(0.5, 1, (3, 8)))) != {"cannot be told"} for _ in range(nets))
    # at most that many by chance, with one in a thousand to spare; and not never
    assert 0 < wrong <= stats.binom.ppf(0.999, nets, 0.05)
