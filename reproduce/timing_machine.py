"""The machine on which times are taken: its name, and how much memory was in use at most."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import Any

import torch

#: Where Linux tells a process what it takes, and is told to start its maximum anew.
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def machine(device: torch.device) -> dict[str, Any]:
    """Kind and name of the device, cores and torch's threads; JSON-able."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "kind": device.type,
        "device": name,
        "processor": processor(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "system": platform.system(),
    }


def processor() -> str:
    """The processor's model, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def reset_peak(device: torch.device) -> None:
    """Count the most memory in use from now on, where the system allows it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        RESET.write_text("5")


def peak_memory(device: torch.device) -> int | None:
    """Bytes in use at most: a GPU's by torch's tensors, otherwise the whole process's; None where no one tells."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * sizes[0] if sizes else None
