"""Devices, exact products and memory that runs out."""

from __future__ import annotations

import platform
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")

from predicdiff.errors import OutOfMemoryError, SettingsError  # noqa: E402
from predicdiff.nets.engine import device  # noqa: E402
from predicdiff.nets.engine.device import choose_device, exactly, first_line, keep_freed_memory, memory_errors  # noqa: E402


def test_devices() -> None:
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    assert choose_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(SettingsError, match=r"device 'nowhere' cannot be used .*: want cpu"):
        choose_device("nowhere")


def test_settings_come_back_even_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "deterministic", False)
    monkeypatch.setattr(cudnn, "benchmark", True)
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with exactly():
            assert (cudnn.deterministic, cudnn.benchmark) == (True, False)
        with pytest.raises(ZeroDivisionError, match="division"), exactly():
            _ = 1 / 0
        assert (cudnn.deterministic, cudnn.benchmark) == (False, True)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(precision)


def test_settings_come_back_when_the_last_has_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "deterministic", False)
    first, second = exactly(), exactly()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert cudnn.deterministic
    second.__exit__(None, None, None)
    assert not cudnn.deterministic


def test_who_computes_in_other_products_waits() -> None:
    entered = threading.Event()

    def other() -> None:
        with exactly("tf32"):
            entered.set()

    thread = threading.Thread(target=other)
    with exactly():
        thread.start()
        assert not entered.wait(0.1)
    thread.join(20)
    assert entered.is_set()


def test_memory_that_runs_out() -> None:
    with pytest.raises(OutOfMemoryError, match=r"memory ran out .*allocate memory"), memory_errors():
        torch.empty(2**50)
    with pytest.raises(OutOfMemoryError, match=r"memory ran out \(MemoryError\)"), memory_errors():
        raise MemoryError
    for words in (
        "CUDA out of memory. Tried to allocate",
        "GET was unable to find an engine to execute this computation",
    ):
        with pytest.raises(OutOfMemoryError, match="memory ran out"), memory_errors():
            raise RuntimeError(words)


def test_other_errors_pass_through() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_errors():
        torch.ones(3).reshape(2)
    with pytest.raises(OutOfMemoryError, match=r"^ours$"), memory_errors():
        raise OutOfMemoryError("ours")


def test_first_line() -> None:
    assert (first_line(ValueError("\none\ntwo")), first_line(ValueError())) == ("one", "ValueError")


def test_freed_memory_is_kept_where_glibc_is() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


@pytest.mark.parametrize(("usual", "cores", "wanted"), [(1, 8, 1), (4, 2, 2), (4, 1, 1), (2, 96, 2)])
def test_no_more_threads_than_torch_has_and_there_are_cores_for(
    monkeypatch: pytest.MonkeyPatch, usual: int, cores: int, wanted: int
) -> None:
    monkeypatch.setattr(device, "cores", lambda: cores)
    before = torch.get_num_threads()
    torch.set_num_threads(usual)
    assert device.threads() == wanted
    torch.set_num_threads(before)


def test_a_thread_computes_with_as_many_as_it_is_told_and_others_as_before() -> None:
    before = torch.get_num_threads()

    def told() -> int:
        device.compute_with(before + 2)
        return int(torch.get_num_threads())

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(told).result() == before + 2
        assert torch.get_num_threads() == before
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == before
