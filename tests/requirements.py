"""What tests need from outside: a missing program is a named skip, or a failure on demand."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str, package: str) -> str:
    """Return the path of a program; skip the test, naming its Debian package, if it is missing."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    if found is not None:
        return found
    reason = f"{name} is missing: it is in the Debian package {package}"
    if os.environ.get("IPCKIT_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)
