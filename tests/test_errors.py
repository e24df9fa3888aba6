"""The error tree: what each class is, what it remembers, and that the drawing is true."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest

import ipckit
from ipckit import errors
from ipckit.errors import BadArguments, Fault, IpcError, TransportError, fault

TREE = [
    ("AddressError", IpcError, ValueError),
    ("UnknownMechanism", IpcError, LookupError),
    ("MechanismUnavailable", IpcError, ImportError),
    ("ContractError", IpcError, TypeError),
    ("NotSupported", IpcError, NotImplementedError),
    ("MarshalError", IpcError, TypeError),
    ("TransportError", IpcError, OSError),
    ("ConnectFailed", TransportError, ConnectionError),
    ("ConnectionLost", TransportError, ConnectionError),
    ("CallTimeout", TransportError, TimeoutError),
    ("ProtocolError", TransportError, OSError),
    ("LimitExceeded", TransportError, OSError),
    ("AccessDenied", TransportError, PermissionError),
    ("Fault", IpcError, Exception),
    ("UnknownOperation", Fault, Exception),
    ("BadArguments", Fault, TypeError),
    ("Unavailable", Fault, Exception),
]
TRANSPORT = [name for name, kind, _ in TREE if kind is TransportError or name == "TransportError"]
NAMED = [name for name, kind, _ in TREE if kind is Fault]
WITH_TEXT = [name for name, *_ in TREE if name != "Fault"]


def kind_of(name: str) -> Any:
    return getattr(errors, name)


def copies(error: Any) -> list[Any]:
    return [copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))]  # noqa: S301


@pytest.mark.parametrize(("name", "parent", "builtin"), TREE)
def test_each_error_is_its_parent_and_the_builtin_it_resembles(
    name: str, parent: type, builtin: type
) -> None:
    with pytest.raises(builtin):
        raise kind_of(name)("why")
    assert issubclass(kind_of(name), parent)


def test_all_is_what_can_be_imported() -> None:
    defined = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException) and name[0] != "_"
    ]
    assert sorted(defined) == errors.__all__
    assert sorted(defined) == sorted(["IpcError", *(name for name, *_ in TREE)])


@pytest.mark.parametrize("name", ["IpcError", *(name for name, *_ in TREE)])
def test_the_front_door_has_every_error(name: str) -> None:
    assert getattr(ipckit, name) is kind_of(name)
    assert name in ipckit.__all__


def test_the_front_door_has_all_that_it_names() -> None:
    assert all(getattr(ipckit, name) is not None for name in ipckit.__all__)


def test_the_drawing_in_the_docstring_is_the_tree() -> None:
    assert drawn(errors.__doc__ or "") == [
        (name, parent.__name__, [builtin.__name__] if shown(parent, builtin) else [])
        for name, parent, builtin in TREE
    ]


def shown(parent: type, builtin: type) -> bool:
    return not issubclass(parent, builtin)


def drawn(text: str) -> list[tuple[str, str, list[str]]]:
    """Return (class, parent, builtins) of each branch of the drawing, top down."""
    branches, above = [], {0: "IpcError"}
    for indent, name, builtin in re.findall(r"^    ([| ]*)[|`]- (\w+)(?:\((\w+)\))?", text, re.M):
        depth = len(indent) // 5 + 1
        above[depth] = name
        branches.append((name, above[depth - 1], [builtin] if builtin else []))
    return branches


@pytest.mark.parametrize("name", TRANSPORT)
def test_a_transport_error_says_whether_the_servant_may_have_run(name: str) -> None:
    assert kind_of(name)("why").executed == "no"
    assert kind_of(name)("why", executed="maybe").executed == "maybe"


@pytest.mark.parametrize("name", WITH_TEXT)
def test_the_text_of_an_error_is_its_message(name: str) -> None:
    assert str(kind_of(name)("why it failed")) == "why it failed"


def test_a_fault_shows_its_kind_and_its_message() -> None:
    assert str(Fault("Full", "no room")) == "Full: no room"
    assert str(Fault("Full")) == "Full"


@pytest.mark.parametrize("name", NAMED)
def test_a_fault_of_ours_has_its_class_as_its_kind(name: str) -> None:
    error = kind_of(name)("why", [1])
    assert (error.kind, error.message, error.details) == (name, "why", [1])


@pytest.mark.parametrize("name", NAMED)
def test_an_error_of_a_named_kind_arrives_as_its_class(name: str) -> None:
    error = fault(name, "why", {"left": 0})
    assert type(error) is kind_of(name)
    assert (error.kind, error.message, error.details) == (name, "why", {"left": 0})


@pytest.mark.parametrize("kind", ["Full", "ValueError", "IpcError", "Fault", "ConnectionLost", ""])
def test_an_error_of_any_other_kind_arrives_as_a_plain_fault(kind: str) -> None:
    error = fault(kind, "why")
    assert type(error) is Fault
    assert (error.kind, error.message, error.details) == (kind, "why", None)


@pytest.mark.parametrize("error", [Fault("Full", "no room", [1]), BadArguments("why", {"at": 1})])
def test_a_copied_fault_keeps_its_fields(error: Fault) -> None:
    for twin in copies(error):
        assert type(twin) is type(error)
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)


@pytest.mark.parametrize("name", TRANSPORT)
def test_a_copied_transport_error_keeps_its_fields(name: str) -> None:
    for twin in copies(kind_of(name)("why", executed="maybe")):
        assert type(twin) is kind_of(name)
        assert (str(twin), twin.executed) == ("why", "maybe")
