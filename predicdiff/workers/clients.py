"""Clients of Dask: the one that is there, and one of a scheduler at an address."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import ExplanationError, SettingsError, first_line
from ..extras import imported

#: The first version of Dask that serves, that of Python 3.8.
LEAST = "2023.5"
#: Seconds in which a scheduler answers.
ANSWERS = 10.0


def current_client() -> Any:
    """The Dask client that is there, whose workers are to compute; None without one, and in a task of Dask's own."""
    distributed = sys.modules.get("distributed")
    if distributed is None:  # nobody can have made one
        return None
    with suppress(ValueError):
        distributed.get_worker()
        return None
    with suppress(ValueError):
        client = distributed.Client.current()
        return None if client.asynchronous or client.status != "running" else client
    return None


def is_client(thing: Any) -> bool:
    """Whether something is a client of Dask."""
    distributed = sys.modules.get("distributed")
    return distributed is not None and isinstance(thing, distributed.Client)


def check_address(address: str) -> Any:
    """The package that serves, where this is an address of a scheduler, whether or not one answers there.

    Raises
    ------
    DependencyError
        If Dask is not installed.
    SettingsError
        If this is no address.
    """
    distributed = imported("distributed", "dask", least=LEAST)
    try:
        distributed.comm.get_address_host_port(str(address), strict=True)
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"{address!r} is no address of a Dask scheduler: want one such as tcp://host:8786."
        ) from error
    return distributed


@contextmanager
def client_at(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address, such as "tcp://host:8786", which is closed afterwards.

    Raises
    ------
    DependencyError
        If Dask is not installed.
    SettingsError
        If this is no address.
    ExplanationError
        If nobody answers there.
    """
    distributed = check_address(address)
    silence = signs_of_loss(distributed) + (ValueError,)
    try:
        client = connected(distributed, str(address))
    except silence as error:
        raise ExplanationError(
            f"no Dask scheduler answers at {address} ({first_line(error)}): start one (dask scheduler), or mend the "
            "address or what lies between."
        ) from error
    with _quiet():
        try:
            yield client
        finally:
            client.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the terminal what Dask logs of what is gone, with tracebacks: a sentence is said where it matters."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado.application")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before):
            logger.setLevel(level)


def connected(distributed: Any, address: str, **settings: Any) -> Any:
    """A new client of the scheduler at an address, which nobody takes for the current one."""
    return distributed.Client(address, timeout=ANSWERS, set_as_default=False, **settings)


def signs_of_loss(distributed: Any) -> tuple[type[BaseException], ...]:
    """What Dask raises when a scheduler, a worker or what they held is gone."""
    closed = getattr(distributed.client, "ClosedClientError", OSError)
    cancelled = (asyncio.TimeoutError, asyncio.CancelledError, CancelledError)
    # a scheduler that does not know a worker any more, and a client that is closing
    return (OSError, *cancelled, LookupError, AttributeError, RuntimeError, closed)
