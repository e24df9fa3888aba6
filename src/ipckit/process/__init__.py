"""Programs, pipelines and coprocesses: run, bounded in time and size, and nothing left behind.

run(["make", "-j2"], timeout=600, check=True)               to its end: status, output, CPU, memory
pipeline(["ls", "-l", "/"], ["sort", "-k", "2", "-n"])      joined by pipes, no shell, each status
with start(["tail", "-f", log], stdout="stream") as tail:   meanwhile: poll, wait, signal, stop
    for line in tail: ...
with Coprocess(["bc", "-q"]) as bc:                         kept alive and asked
    bc.ask("2 + 3")

A command is a list of arguments; nothing reads it but the program. Each job has a process group of
its own, which is killed when its time is over, its output is over the limit, or its caller fails;
statuses are taken, so that no zombie stays. SIGPIPE acts in programs as it does under a shell.
`process.aio` has the same for asyncio. Errors are of ipckit's tree, and carry the output so far:

    ConnectFailed            it cannot be started
    CallTimeout
    |- ProcessTimeout        the deadline passed and the group was killed      .result
    LimitExceeded
    |- OutputLimit           more output than may be collected; killed         .result
    ProtocolError
    |- OutputNotText         text was asked for and it is not UTF-8            .data, .result
    Fault
    |- ProcessFailed         check: it ended with another status than 0        .result, .kind
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ipckit.process._background import Process, start, start_pipeline
from ipckit.process._coprocess import Coprocess
from ipckit.process._result import (
    OutputLimit,
    OutputNotText,
    ProcessFailed,
    ProcessTimeout,
    Result,
    Stage,
)
from ipckit.process._run import pipeline, run

if TYPE_CHECKING:
    from ipckit.process import aio as aio

__all__ = [
    "Coprocess",
    "OutputLimit",
    "OutputNotText",
    "Process",
    "ProcessFailed",
    "ProcessTimeout",
    "Result",
    "Stage",
    "aio",
    "pipeline",
    "run",
    "start",
    "start_pipeline",
]


if not TYPE_CHECKING:  # asyncio is loaded by those who use it

    def __getattr__(name: str) -> Any:
        if name == "aio":
            return import_module("ipckit.process.aio")
        raise AttributeError(f"module 'ipckit.process' has no attribute {name!r}")
