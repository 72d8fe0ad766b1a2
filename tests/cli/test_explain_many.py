"""`predicdiff explain` of several images: what is written and said, how it ends, and how it goes on."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest
from helpers.pictured import Fails, Pictured, picture, pictures
from helpers.places import ROOT

from predicdiff.cli import explain_many
from predicdiff.explanation import Explanation
from predicdiff.extras import absent
from predicdiff.nets import zoo
from predicdiff.nets.doors import Door
from predicdiff.ours import as_record
from predicdiff.studies.index import COLUMNS, read_index

#: Options of a quick run, with a net of NumPy's that needs no torch.
FAST = ["--net", "pictured", "-k", 3, "--stride", 3, "-S", 4, "--sampler", "marginal", "--corpus", "corpus"]
#: The same with some tiles for each image.
LONG = ["--net", "pictured", "-k", 3, "--stride", 1, "-S", 60, "--sampler", "marginal", "--corpus", "corpus"]
#: Runs the command line in a process without torch, whose import takes seconds.
PROGRAM = f"""
import sys
sys.modules["torch"] = None
sys.path.insert(0, {str(ROOT / "tests")!r})
from helpers.pictured import Pictured
from predicdiff.nets import zoo
from predicdiff.nets.doors import Door
zoo._check_engine = lambda *given: None
zoo.DOORS = (Door(lambda source: source == "pictured", lambda source, settings: Pictured()), *zoo.DOORS)
from predicdiff.cli import main
main(sys.argv[1:], prog_name="predicdiff")
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


class Other(Pictured):
    """The same net, as far as its maps go, from another engine."""

    @property
    def provenance(self) -> dict[str, Any]:
        return {"engine": "other"}


NETS: dict[str, Callable[[], Any]] = {
    "pictured": Pictured, "other": Other, "fails": lambda: Fails(ValueError("my own trouble")),
}  # fmt: skip


@pytest.fixture(autouse=True)
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Any) -> None:
    """Nets of NumPy's by their names, a corpus, and six photographs in the folder where commands run."""
    door = Door(lambda source: source in NETS, lambda source, settings: NETS[source]())
    monkeypatch.setattr(zoo, "DOORS", (door, *zoo.DOORS))
    monkeypatch.setattr(zoo, "_check_engine", lambda *given: None)  # they need none
    pictures(tmp_path / "corpus", 12)
    pictures(tmp_path / "p", 6)


def there(folder: str = "study") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def whole(*stems: str) -> list[str]:
    """All that a study of such images holds."""
    table = [] if absent("pyarrow") else ["index.parquet"]
    of_images = [f"{stem}{ending}" for stem in stems for ending in (".h5", ".png")]
    return sorted([*of_images, *table, "index.csv", "settings.json"])


ALL = [f"0{number}" for number in range(6)]


def same_maps(folder: str, other: str) -> None:
    """Two studies hold the same, to the bit, and their tables say the same, but for the time that it took."""
    assert there(folder) == there(other)
    for path in Path(folder).glob("*.h5"):
        one, two = Explanation.load(path), Explanation.load(Path(other, path.name))
        for name in ("relevance", "stderr", "base", "pixels", "image"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert one.provenance["image"] == two.provenance["image"]
    rows = [sorted(row._replace(seconds=None) for row in read_index(Path(name))) for name in (folder, other)]
    assert rows[0] == rows[1]
    assert len({(row.file, row.target) for row in rows[0]}) == len(rows[0])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], str]:
    """Gives a study of the six photographs with the options of LONG, which is computed once."""
    kept = tmp_path_factory.mktemp("finished") / "whole"

    def copied(cli: Any) -> str:
        if not kept.exists():
            assert cli("explain", "p", *LONG, "-o", "whole/", "-q").exit_code == 0
            shutil.copytree("whole", kept)
        elif not Path("whole").exists():
            shutil.copytree(kept, "whole")
        return "whole"

    return copied


def test_each_result_is_that_of_the_image_alone(cli: Any) -> None:
    result = cli("explain", "p/00.png", "p/[0]1.png", *FAST, "--top", 2, "-o", "study/")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "2 images, which numpy sees as 9 x 10.",
        f"Wrote 2 of 2 images into study, and {Path('study', 'index.csv')}.",
    ]
    assert there() == whole("00", "01")
    for stem in ALL[:2]:
        alone = cli("explain", f"p/{stem}.png", *FAST, "--top", 2, "-o", "alone.h5", "--corpus", "corpus", "-q")
        assert alone.exit_code == 0, alone.output
        one, other = Explanation.load("alone.h5"), Explanation.load(f"study/{stem}.h5")
        assert one.settings["samples"] == other.settings["samples"]
        assert one.targets == other.targets
        assert np.corrcoef(one.relevance.ravel(), other.relevance.ravel())[0, 1] > 0.5  # of a corpus without it
        os.unlink("alone.h5")


def test_grey_windows_give_to_the_bit_what_each_image_gives_alone(cli: Any) -> None:
    how = ["--net", "pictured", "-k", 3, "--stride", 2, "--sampler", "grey", "--top", 2]
    assert cli("explain", "p/0[01].png", *how, "-o", "study/", "-q").exit_code == 0
    for stem in ALL[:2]:
        assert cli("explain", f"p/{stem}.png", *how, "-o", f"{stem}.h5", "-q").exit_code == 0
        one, other = Explanation.load(f"{stem}.h5"), Explanation.load(f"study/{stem}.h5")
        np.testing.assert_array_equal(one.relevance, other.relevance)
        assert (one.notes, one.targets, one.settings) == (other.notes, other.targets, other.settings)
        assert Path(f"{stem}.png").read_bytes() == Path(f"study/{stem}.png").read_bytes()


@posix
def test_workers_give_the_same_and_so_does_a_second_run_that_finds_all_there(cli: Any, finished: Any) -> None:
    finished(cli)
    said = cli("explain", "p", *LONG, "-o", "study/", "--workers", 2)
    assert said.exit_code == 0, said.output
    same_maps("study", "whole")
    before = {path.name: path.stat().st_mtime_ns for path in Path("study").glob("*[gh5]")}
    said = cli("explain", "p", *LONG, "-o", "study/", "--workers", 2)
    assert said.output.splitlines() == [
        "6 images, which numpy sees as 9 x 10, of which 6 are finished in study.",
        f"Wrote 0 images into study, which holds 6 of 6 images now, and {Path('study', 'index.csv')}.",
    ]
    assert {path.name: path.stat().st_mtime_ns for path in Path("study").glob("*[gh5]")} == before


def test_images_that_cannot_be_read_are_named_passed_over_and_make_the_status_2(cli: Any) -> None:
    Path("p/text.png").write_text("no image")
    Path("p/empty.png").write_bytes(b"")
    said = cli("explain", "p", "absent.jpg", "a\nb.png", "p/00.png", *FAST, "-o", "study/")
    assert said.exit_code == 2
    lines = said.output.splitlines()
    assert lines[0] == "10 images, which numpy sees as 9 x 10."
    assert sorted(line.split(": ")[1] for line in lines if line.startswith("Passed over: ")) == [
        r"a\nb.png", "absent.jpg", "p/empty.png", "p/text.png",
    ]  # fmt: skip
    assert lines[-1].startswith("Wrote 6 of 10 images into study, without 4 that could not be explained, and ")
    assert there() == whole(*ALL)
    assert sum(1 for row in read_index(Path("study")) if row.error) == 4
    Path("p/text.png").unlink()
    Path("p/empty.png").unlink()
    again = cli("explain", "p", *FAST, "-o", "study/")
    assert again.exit_code == 0
    assert not any(row.error for row in read_index(Path("study")))


def test_a_study_all_of_whose_images_fail_ends_with_status_2_and_its_settings_may_change(cli: Any) -> None:
    said = cli("explain", "a.png", "b.png", *FAST, "-o", "study/")
    assert said.exit_code == 2
    assert "Wrote 0 of 2 images into study, without 2 that could not be explained" in said.output
    assert "Traceback" not in said.output
    assert cli("explain", "p/00.png", *FAST, "--seed", 1, "-o", "study/").exit_code == 0


def test_quietly_only_errors_are_said(cli: Any) -> None:
    assert cli("explain", "p/00.png", *FAST, "-o", "study/", "-q").output == ""
    said = cli("explain", "p/00.png", "absent.png", *FAST, "-o", "study/", "-q")
    assert said.exit_code == 2
    assert said.output.splitlines() == [
        "Passed over: absent.png: no such file. Give the path of an image (PNG, JPEG, ...)."
    ]


def test_a_net_that_fails_at_an_image_is_said_in_a_sentence(cli: Any) -> None:
    picture(Path("p/03.png"), 3, red=True)
    said = cli("explain", "p", *FAST, "--net", "fails", "-o", "study/")
    assert said.exit_code == 2
    assert "Passed over: p/03.png: the net or the sampler failed (ValueError: my own trouble)." in said.output
    assert there() == whole("00", "01", "02", "04", "05")


def snapshot() -> dict[str, Any]:
    """All that lies here; folders have times of their own."""
    found = {str(path): path.stat() for path in Path().rglob("*")}
    return {name: (stat.st_size, Path(name).is_file() and stat.st_mtime_ns) for name, stat in found.items()}


def test_a_dry_run_writes_nothing(cli: Any, refused: Any) -> None:
    before = snapshot()
    said = cli("explain", "p", "absent.png", *FAST, "-o", "study/", "--dry-run")
    assert said.exit_code == 0, said.output
    assert (
        "7 images, each with 12 windows of 3 x 3 and 4 draws: a few seconds by this machine's processors" in said.output
    )
    assert "Results would go to study. Nothing was written." in said.output
    assert "out/study_numpy_marginal" in cli("explain", "p", *FAST, "--dry-run").output
    if not absent("distributed"):
        there = cli("explain", "p", *FAST, "--dry-run", "--scheduler", "tcp://cluster:8786").output
        assert "by this machine's processors, which the cluster's workers share" in there
    assert "absent.png: no such file" in refused("explain", "absent.png", "b.png", *FAST, "--dry-run")
    assert snapshot() == before
    assert cli("explain", "p/00.png", "p/01.png", *FAST, "-o", "study/", "-q").exit_code == 0
    before = snapshot()
    assert "4 images, each" in cli("explain", "p", *FAST, "-o", "study/", "--dry-run").output
    assert "6 images, each" in cli("explain", "p", *FAST, "-o", "study/", "--dry-run", "--restart").output
    assert (
        "All images are finished in study." in cli("explain", "p/0[01].png", *FAST, "-o", "study", "--dry-run").output
    )
    assert "seed was 0, is 1" in refused("explain", "p", *FAST, "-o", "study/", "--dry-run", "--seed", 1)
    assert snapshot() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--figure", "a.png"], "--figure say something of one image"),
        (["--mask", "p/00.png"], "--mask say something of one image"),
        (["--page", 1], "--page say something of one image"),
        (["--box", "1,2,3,4", "--page", 2], "--box and --page say something of one image"),
        (["--segments", "p/00.png"], "--segments FILE say something of one image"),
        (["--like", "authors"], "--like authors say something of one image"),
        (["-o", "a.h5"], "a.h5: several images want a folder for their results, such as -o study/"),
        (["--workers", "0"], "want a number of processes from 1"),
        (["--list", "absent.txt"], "absent.txt: no such file. Want a text"),
        (["--list", "corpus"], "corpus: a folder"),
        (["--list", "p/00.png"], "want a text with the path of an image in each line"),
        (["-"], "- is standard input, by which one image comes"),
        (["q*.png"], "q*.png: no file has such a name"),
        (["empty"], "empty: no image in this folder"),
        ([""], "an image's name is empty"),
        (["--method", "occlusion"], "--method occlusion draws nothing: leave out --sampler and --corpus and -S"),
        (["--blob", "absent"], "the net has no blob 'absent'"),
        (["--unit", 77], "77"),
        (["-k", 40], "40"),
        (["--region", "0,0,500,500"], "500"),
        (["-o", "corpus"], "corpus: holds other files, and no study"),
        (["-o", "p/00.png/x"], "cannot be written, since"),
        (
            ["--sure", "-S", 1],
            "--sure needs a standard error, and one draw a window has none: want --samples 2 or more",
        ),
        (["--corpus", "absent"], "absent"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence_and_leaves_nothing(refused: Any, options: Any, said: str) -> None:
    Path("empty").mkdir()
    before = snapshot()
    assert said in refused("explain", "p/00.png", "p/01.png", "-o", "study/", *FAST, *options)
    assert snapshot().keys() == before.keys()


def test_without_an_image_there_is_no_study(refused: Any) -> None:
    assert "no image was given: want the paths of images" in refused("explain", *FAST, "-o", "study/")
    assert not Path("study").exists()


def test_one_image_into_a_folder_is_a_study(cli: Any) -> None:
    assert cli("explain", "p/03.png", *FAST, "-o", "study/", "-q").exit_code == 0
    assert there() == whole("03")
    said = cli("explain", "p/04.png", *FAST, "-o", "study")
    assert "1 image, which numpy sees" in said.output
    assert there() == whole("03", "04")


def test_lists_name_files_folders_and_patterns(cli: Any) -> None:
    picture(Path("a, b.png"), 1)
    Path("list.txt").write_bytes(b"\xef\xbb\xbfp/00.png\r\n\r\np/0[1-2].png\r\n  \r\na, b.png\r\n./p/../p/00.png\r\n")
    assert cli("explain", "--list", "list.txt", *FAST, "-o", "study/", "-q").exit_code == 0
    assert [row.file for row in read_index(Path("study"))] == ["p/00.png", "p/01.png", "p/02.png", "a, b.png"]
    said = cli("explain", "p/00.png", "--list", "-", *FAST, "-o", "study/", stdin=b"p\n")
    assert said.output.startswith("6 images, which numpy sees as 9 x 10, of which 3 are finished in study.")


def test_a_pattern_does_not_meet_the_studys_own_pictures(cli: Any) -> None:
    for _ in range(2):
        said = cli("explain", "p/**/*[01].png", *FAST, "-o", "p/study/")
        assert said.exit_code == 0
        assert "2 images, which" in said.output
    assert "Warning: p/study: 2 images of the study's own passed over." in said.output
    assert there("p/study") == whole("00", "01")


def test_other_settings_nets_samplers_and_versions_are_refused_with_what_differs(cli: Any, refused: Any) -> None:
    run = ["explain", "p/00.png", *FAST, "-o", "study/"]
    assert cli(*run, "-q").exit_code == 0
    before = snapshot()
    assert "study: a study with other settings (seed was 0, is 3). Give another output" in refused(*run, "--seed", 3)
    assert 'engine was "numpy", is "other"' in refused(*run, "--net", "other")
    assert "samples was 4, is 5; stride was 3, is 2" in refused(*run, "--stride", 2, "-S", 5, "--restart")
    assert "sampler" in refused("explain", "p/01.png", *FAST[:8], "--sampler", "grey", "-o", "study/")
    pictures(Path("other"), 13)
    assert "study: a study with other settings (" in refused(*run, "--corpus", "other")
    assert {name: told for name, told in snapshot().items() if not name.startswith("other")} == before
    record = json.loads(Path("study/settings.json").read_text())
    record["versions"]["predicdiff"] = "0.0.1"
    Path("study/settings.json").write_bytes(
        as_record({k: v for k, v in record.items() if k not in ("made by", "sha256")})
    )
    assert 'predicdiff was "0.0.1", is ' in refused(*run)


def test_what_does_not_change_a_map_may_change(cli: Any) -> None:
    assert cli("explain", "p/00.png", *FAST, "-o", "study/", "-q").exit_code == 0
    more = ["--memory", "2GB", "--batch-size", 8, "--on-image", "--workers", 1]
    assert cli("explain", "p/00.png", "p/01.png", *FAST, *more, "-o", "study/", "-q").exit_code == 0
    assert there() == whole("00", "01")


def test_the_table_is_the_index(cli: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert cli("explain", "p/0[0-1].png", "absent.png", *FAST, "--top", 3, "-o", "study/", "-q").exit_code == 2
    table = parquet.read_table("study/index.parquet")
    assert tuple(table.column_names) == COLUMNS
    with open("study/index.csv", encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    assert len(told) == 7
    for one, read in zip(table.to_pylist(), told):
        assert {name: "" if value is None else str(value) for name, value in one.items()} == read
    assert {one["sha256"] for one in told[:6]} == {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in Path("p").glob("0[01].png")
    }


def test_warnings_are_said_of_some_images_and_written_of_all(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from predicdiff.errors import InputWarning, warn

    class Warns(Pictured):
        def view(self, image: np.ndarray) -> np.ndarray:
            warn(f"mean {image.mean():.3f}.", InputWarning)
            return super().view(image)

    monkeypatch.setitem(NETS, "warns", Warns)
    monkeypatch.setattr(explain_many, "MOST_WARNED", 2)
    said = cli("explain", "p/0[0-2].png", "--net", "warns", "--sampler", "grey", "-k", 3, "--stride", 3, "-o", "study/")
    assert said.exit_code == 0, said.output
    assert len(re.findall(r"^Warning: p/\d\d\.png: mean ", said.output, re.MULTILINE)) == 2
    assert all("mean " in row.notes for row in read_index(Path("study")))


@pytest.fixture
def started(program: Any) -> Iterator[Callable[..., Any]]:
    """Start the command in a process of its own; it is killed at the end."""
    processes = []

    def start(*arguments: object, **options: Any) -> Any:
        process = program(arguments, code=PROGRAM, **options)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def until_results(count: int, process: Any) -> None:
    """Wait until so many results lie in the study."""
    while len(list(Path("study").glob("*.h5"))) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def computed(folder: str = "study") -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).glob("*.h5")}


@posix
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.whole), 2])
def test_interrupted_by_the_keyboard_it_says_so_and_goes_on(
    cli: Any, started: Any, finished: Any, workers: int
) -> None:
    finished(cli)
    run = ["explain", "p", *LONG, "-o", "study/", "--workers", workers]
    process = started(*run, start_new_session=True)
    until_results(2, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of the group are told
    said, errors = process.communicate(timeout=60)
    if process.returncode == 130:  # else it was faster
        done = len(read_index(Path("study")))
        assert errors == (
            f"Interrupted. {done} of 6 images are finished in study: the same command goes on from there.\n"
        )
        assert done >= 1
    assert "Traceback" not in said + errors
    kept = {row.result for row in read_index(Path("study"))}
    before = {name: at for name, at in computed().items() if name in kept}
    again = cli(*run[:-2])
    assert again.exit_code == 0, again.output
    assert f"of which {len(before)} are finished" in again.output
    assert {name: at for name, at in computed().items() if name in before} == before
    same_maps("study", "whole")


def killed_and_gone_on_with(cli: Any, started: Any, times: int, *more: object) -> None:
    """Kill a study at moments that are spread over what it does, and go on until it is whole."""
    rng, kept = np.random.default_rng(3), {}
    run = ["explain", "p", *LONG, "-o", "study/", *more]
    for kill in range(times):
        process = started(*run, "-q")
        if kill % 2:
            until_results(len(computed()) + 1 if len(computed()) < 5 else 1, process)
        else:
            while not Path("study/index.csv").exists() and process.poll() is None:
                time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        told = process.communicate()[1]
        # a worker that was just being started finds nothing to read, before it runs anything of ours
        assert told == "" or told.endswith("EOFError: Ran out of input\n"), told
        now = computed()
        assert {name: now[name] for name in kept} == kept, "what was finished was computed again"
        named = {row.result for row in read_index(Path("study"))} if Path("study/index.csv").exists() else set()
        kept = {name: at for name, at in now.items() if name in named}
    again = cli(*run)
    assert again.exit_code == 0, again.output
    assert {name: at for name, at in computed().items() if name in kept} == kept
    same_maps("study", "whole")


@posix
def test_killed_it_goes_on_to_the_same_bits(cli: Any, started: Any, finished: Any) -> None:
    finished(cli)
    killed_and_gone_on_with(cli, started, 1)


@posix
@pytest.mark.whole
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_eight_times_it_goes_on_to_the_same_bits(cli: Any, started: Any, finished: Any, workers: int) -> None:
    finished(cli)
    killed_and_gone_on_with(cli, started, 8, "--workers", workers)


@posix
def test_a_second_run_ends_at_once_and_a_file_that_disappears_meanwhile_is_passed_over(
    refused: Any, started: Any
) -> None:
    process = started("explain", "p", *LONG, "-o", "study/")
    until_results(1, process)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        error = refused("explain", "p", *LONG, "-o", "study/")
        assert "study: another run writes this study. Wait for its end" in error
        Path("p/05.png").unlink()
    finally:
        os.kill(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors == "Passed over: p/05.png: no such file. Give the path of an image (PNG, JPEG, ...).\n"
    assert there() == whole(*ALL[:-1])


#: Runs the command line with a limit to what files may hold.
LIMITED = PROGRAM.replace("import sys\n", "import resource, sys\n", 1).replace(
    "main(sys", "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))\nmain(sys"
)


@posix
@pytest.mark.parametrize("room", [pytest.param(300, marks=pytest.mark.whole), 20000])
def test_a_full_disk_ends_it_with_one_sentence(cli: Any, program: Any, room: int) -> None:
    process = program([room, "explain", "p", *FAST, "-o", "study/", "-q"], code=LIMITED)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert re.fullmatch(r"Error: study\S*: .*cannot be \w+ \(File too large\)\. .*\n", errors), errors
    assert cli("explain", "p", *FAST, "-o", "study/", "-q").exit_code == 0
    assert there() == whole(*ALL)


@posix
def test_the_bar_is_one_line_with_images_done_and_time_left(seen: Any) -> None:
    status, text = seen("explain", "p", "absent.png", *LONG, "-o", "study/", code=PROGRAM)
    assert status == 2, text
    bars = re.findall(r"(\d) of 7 images +(\d+)% \|.*?\| [\d:]+ gone, ([\d:?]+) left", text)
    done, percent = [int(bar[0]) for bar in bars], [int(bar[1]) for bar in bars]
    assert (done[0], done[-1]) == (0, 7)
    assert percent == sorted(percent)
    assert percent[-1] == 100
    lines = [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]
    assert sum("% |" in line for line in lines) == 1  # all others were written over
    assert any(line.startswith("Passed over: absent.png: ") for line in lines)
