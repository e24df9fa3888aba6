"""CORBA's naming service is asked, bound in and listed; Debian's tools and service beside ours."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import CosNaming
import CosNaming__POA
import pytest
from requirements import require_program

import ipckit
from ipckit._corba import ior, naming
from ipckit._corba.names import NamingAddress
from ipckit._corba.naming import Registration, listing, resolve
from ipckit._corba.orb import Wanted, hold
from ipckit.corba import NameService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipckit._corba.orb import Orb

    Bind = Callable[[str, Any], Registration]

PATIENCE = 30.0
UTF8 = ("-ORBnativeCharCodeSet", "UTF-8", "-ORBdefaultCharCodeSet", "UTF-8")
CONTEXT = "IDL:omg.org/CosNaming/NamingContextExt:1.0"
THING = "IDL:omg.org/CosNaming/BindingIterator:1.0"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def held() -> Iterator[Orb]:
    """The ORB of this process, as the adapter has it."""
    orb = hold(Wanted(), "the test")
    yield orb
    orb.release()


@pytest.fixture(scope="module")
def orb(held: Orb) -> Any:
    """The same, as omniORB has it."""
    return held.orb


@pytest.fixture(scope="module")
def service() -> Iterator[NameService]:
    """A naming service of ours."""
    with NameService() as running:
        yield running


@pytest.fixture
def names(orb: Any, service: NameService) -> Iterator[str]:
    """The address of a naming service in which nothing is bound."""
    yield service.address
    for row in reversed(listing(orb, service.address, PATIENCE) or []):
        name = NamingAddress.parse(at(service.address, row["name"])).name
        root = resolve(orb, service.address, PATIENCE)._narrow(CosNaming.NamingContextExt)
        root.unbind([CosNaming.NameComponent(*component) for component in name])


Thing: Any = type("Thing", (CosNaming__POA.BindingIterator,), {})
"""An object that is there, of an interface that is at hand."""


@pytest.fixture
def bind(orb: Any) -> Iterator[Bind]:
    """How a name is bound until the test is over."""
    with contextlib.ExitStack() as stack:

        def bind(address: str, reference: Any) -> Registration:
            registration = Registration(orb, address, reference)
            stack.callback(registration.close)
            return registration

        yield bind


@pytest.fixture
def thing(held: Orb) -> Iterator[Any]:
    """The reference to an object that answers."""
    with alive(held) as reference:
        yield reference


@contextlib.contextmanager
def alive(held: Orb) -> Iterator[Any]:
    """Yield the reference to an object that answers for so long."""
    adapter, key = held.named, f"thing {next(_numbers)}".encode()
    adapter.activate_object_with_id(key, Thing())
    try:
        yield adapter.id_to_reference(key)
    finally:
        adapter.deactivate_object(key)


def at(names: str, name: str) -> str:
    return f"{names}/{name}"


def bound(orb: Any, names: str) -> list[str]:
    """Return the names that are bound, as they are written."""
    return [row["name"] for row in listing(orb, names, PATIENCE) or []]


# --- Resolving --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        "corbaname://{0}/a/b",
        "corbaname::{0}#a/b",
        "corbaname:iiop:1.2@{0}#a/b",
        "corbaname:iiop:1.0@{0}/NameService#a/b",
        "corbaname::127.0.0.1:1,:{0}#a/b",
    ],
)
def test_a_bound_name_leads_to_its_object(
    orb: Any, names: str, thing: Any, form: str, bind: Bind
) -> None:
    there = names.removeprefix("corbaname://")
    bind(at(names, "a/b"), thing)
    assert resolve(orb, form.format(there), PATIENCE)._is_equivalent(thing)


def test_without_a_name_the_root_context_is_meant(orb: Any, names: str) -> None:
    root = resolve(orb, names, PATIENCE)._narrow(CosNaming.NamingContextExt)
    assert root.list(1) == ([], None)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("stray", "no name 'stray' is bound; bound there: bank, printer$"),
        ("print", "no name 'print' is bound; did you mean 'printer'?"),
        ("bank/safe/x", "no name 'safe' is bound in 'bank'; bound there: account$"),
        ("bank/acount", "no name 'acount' is bound in 'bank'; did you mean 'account'?"),
    ],
)
def test_an_unknown_name_is_told_with_those_that_are_bound(
    orb: Any, names: str, thing: Any, name: str, told: str, bind: Bind
) -> None:
    bind(at(names, "bank/account"), thing)
    bind(at(names, "printer"), thing)
    with pytest.raises(ipckit.ConnectFailed, match=told):
        resolve(orb, at(names, name), PATIENCE)


def test_where_nothing_is_bound_that_is_told(orb: Any, names: str) -> None:
    with pytest.raises(ipckit.ConnectFailed, match=r"no name 'a' is bound; nothing is$"):
        resolve(orb, at(names, "a"), PATIENCE)


def test_an_error_names_only_some_of_many(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    for number in range(10):
        bind(at(names, f"{number}"), thing)
    with pytest.raises(ipckit.ConnectFailed, match=r"bound there: 0, 1, 2, 3, 4, 5, 6, 7, \.\.\.$"):
        resolve(orb, at(names, "xyz"), PATIENCE)


def test_an_object_holds_no_names(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    bind(at(names, "a/b"), thing)
    with pytest.raises(ipckit.AddressError, match="'a/b' is bound to an object, which holds no na"):
        resolve(orb, at(names, "a/b/c"), PATIENCE)


def test_a_nil_reference_is_told(orb: Any, names: str, bind: Bind) -> None:
    bind(at(names, "nil"), None)
    with pytest.raises(ipckit.ConnectFailed, match="nothing but a nil reference is bound there"):
        resolve(orb, at(names, "nil"), PATIENCE)


def test_where_no_naming_service_is_the_remedy_is_told(orb: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"corbaname://127.0.0.1:{closed.getsockname()[1]}/a"
    with pytest.raises(ipckit.ConnectFailed, match="start omniNames or `ipckit omninames`"):
        resolve(orb, address, PATIENCE)


def test_an_orb_without_a_naming_service_is_told_apart(held: Orb) -> None:
    with alive(held):
        host, port = held.endpoint or ("", 0)
    with pytest.raises(ipckit.ConnectFailed, match="has no such naming context"):
        resolve(held.orb, f"corbaname://{host}:{port}/a", PATIENCE)


def test_another_object_is_no_naming_service(held: Orb, service: NameService, thing: Any) -> None:
    key = quote(held.named.reference_to_id(thing))
    host, port = held.endpoint or ("", 0)
    with pytest.raises(ipckit.ConnectFailed, match="the object there is no naming service"):
        resolve(held.orb, f"corbaname::{host}:{port}/{key}#a", PATIENCE)


def test_one_that_does_not_answer_is_waited_for_no_longer_than_asked(orb: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"corbaname://127.0.0.1:{silent.getsockname()[1]}/a"
        for ask in (resolve, listing):
            with pytest.raises(ipckit.CallTimeout, match="the naming service: no answer in time"):
                ask(orb, address, 0.2)
        with pytest.raises(ipckit.CallTimeout), ipckit.timeout(0.2):
            resolve(orb, address, None)


# --- Binding ----------------------------------------------------------------------------------


def test_a_name_is_bound_until_it_is_closed(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    registration = bind(at(names, r"日本/v1\.0/😀.kind"), thing)
    assert bound(orb, names) == ["日本", r"日本/v1\.0", r"日本/v1\.0/😀.kind"]
    for _ in range(2):
        registration.close()
        assert bound(orb, names) == []


def test_contexts_that_others_use_stay(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    one = bind(at(names, "a/b/one"), thing)
    other = bind(at(names, "a/other"), thing)
    one.close()
    assert bound(orb, names) == ["a", "a/other"]
    other.close()
    assert bound(orb, names) == ["a"]


def test_contexts_that_others_made_stay(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    root = resolve(orb, names, PATIENCE)._narrow(CosNaming.NamingContextExt)
    root.bind_new_context([CosNaming.NameComponent("a", "")])
    bind(at(names, "a/b/c"), thing).close()
    assert bound(orb, names) == ["a"]


def test_a_name_that_a_dead_object_left_is_taken_over(
    held: Orb, names: str, thing: Any, caplog: pytest.LogCaptureFixture, bind: Bind
) -> None:
    with alive(held) as gone:
        bind(at(names, "a"), gone)
    with caplog.at_level(logging.INFO, "ipckit.corba"):
        bind(at(names, "a"), thing)
    assert resolve(held.orb, at(names, "a"), PATIENCE)._is_equivalent(thing)
    assert "where nobody is: it is taken over" in caplog.text


def test_a_name_whose_server_is_gone_is_taken_over(
    orb: Any, names: str, thing: Any, bind: Bind
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    gone = orb.string_to_object(f"corbaloc:iiop:1.2@127.0.0.1:{port}/gone")
    for dead in (gone, None):
        bind(at(names, "a"), dead)
        bind(at(names, "a"), thing).close()
        assert bound(orb, names) == []


def test_a_name_of_an_object_that_answers_is_refused(
    held: Orb, names: str, thing: Any, bind: Bind
) -> None:
    bind(at(names, "a"), thing)
    with (
        alive(held) as other,
        pytest.raises(ipckit.ConnectFailed, match=rf"bound to {THING} at .*, and a server is ther"),
    ):
        bind(at(names, "a"), other)
    assert resolve(held.orb, at(names, "a"), PATIENCE)._is_equivalent(thing)


def test_one_object_is_bound_again_without_a_word(
    orb: Any, names: str, thing: Any, bind: Bind
) -> None:
    for _ in range(2):
        bind(at(names, "a"), thing)
    assert bound(orb, names) == ["a"]


def test_a_context_is_not_replaced(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    bind(at(names, "a/b"), thing)
    with pytest.raises(ipckit.AddressError, match="which holds other names: take a name in it"):
        bind(at(names, "a"), thing)
    assert bound(orb, names) == ["a", "a/b"]


def test_a_name_below_an_object_is_refused(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    bind(at(names, "a"), thing)
    with pytest.raises(ipckit.AddressError, match="'a' is bound to an object, which holds no name"):
        bind(at(names, "a/b/c"), thing)


def test_a_context_that_is_gone_but_bound_is_told(
    orb: Any, names: str, thing: Any, bind: Bind
) -> None:
    root = resolve(orb, names, PATIENCE)._narrow(CosNaming.NamingContextExt)
    root.bind_new_context([CosNaming.NameComponent("a", "")]).destroy()
    with pytest.raises(ipckit.ConnectFailed, match="a context in the name is gone, but bound"):
        bind(at(names, "a/b"), thing)
    assert bound(orb, names) == ["a"]


def test_to_bind_takes_a_name(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    with pytest.raises(ipckit.AddressError, match=rf"a name is missing, as in {names}/name"):
        bind(names, thing)


def test_a_name_that_is_anothers_by_now_stays(
    held: Orb, names: str, thing: Any, bind: Bind
) -> None:
    with alive(held) as first:
        replaced = bind(at(names, "a"), first)
    bind(at(names, "a"), thing)
    replaced.close()
    assert resolve(held.orb, at(names, "a"), PATIENCE)._is_equivalent(thing)


def test_a_name_that_cannot_be_unbound_is_logged(
    orb: Any, thing: Any, caplog: pytest.LogCaptureFixture, bind: Bind
) -> None:
    with NameService() as other:
        registration = bind(at(other.address, "a"), thing)
    registration.close()
    assert f"a name stays bound: {other.address}/a: no naming service" in caplog.text


# --- Listing ----------------------------------------------------------------------------------


def test_a_listing_has_what_is_below_too(held: Orb, names: str, thing: Any, bind: Bind) -> None:
    bind(at(names, "a/b"), thing)
    bind(at(names, "c.kind"), thing)
    where = names.removeprefix("corbaname://")
    host, port = held.endpoint or ("", 0)
    here = f"{host}:{port}"
    inside = {"name": "b", "interface": THING, "at": here}
    assert listing(held.orb, at(names, "a"), PATIENCE) == [inside]
    assert listing(held.orb, names, PATIENCE) == [
        {"name": "a", "interface": CONTEXT, "at": where},
        {"name": "a/b", "interface": THING, "at": here},
        {"name": "c.kind", "interface": THING, "at": here},
    ]


def test_an_object_has_no_listing(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    bind(at(names, "a"), thing)
    assert listing(orb, at(names, "a"), PATIENCE) is None


def test_many_names_are_listed_all(orb: Any, names: str, thing: Any, bind: Bind) -> None:
    for number in range(250):
        bind(at(names, f"{number:03}"), thing)
    assert bound(orb, names) == [f"{number:03}" for number in range(250)]


def test_too_many_names_are_not_listed(
    orb: Any, names: str, thing: Any, monkeypatch: pytest.MonkeyPatch, bind: Bind
) -> None:
    for number in range(3):
        bind(at(names, f"{number}"), thing)
    with monkeypatch.context() as few:
        few.setattr(naming, "ENTRIES", 2)
        with pytest.raises(ipckit.LimitExceeded, match="more than 2 names: ask for one context"):
            listing(orb, names, PATIENCE)


def test_contexts_that_lead_back_are_listed_once(orb: Any, names: str) -> None:
    root = resolve(orb, names, PATIENCE)._narrow(CosNaming.NamingContextExt)
    context = root.bind_new_context([CosNaming.NameComponent("a", "")])
    context.bind_context([CosNaming.NameComponent("back", "")], context)
    assert bound(orb, names) == ["a", "a/back"]
    context.unbind([CosNaming.NameComponent("back", "")])


def test_a_context_that_is_gone_is_listed_without_names(orb: Any, names: str) -> None:
    root = resolve(orb, names, PATIENCE)._narrow(CosNaming.NamingContextExt)
    root.bind_new_context([CosNaming.NameComponent("a", "")]).destroy()
    assert bound(orb, names) == ["a"]


# --- What is kept, and whom others see --------------------------------------------------------


def test_names_in_a_folder_are_there_the_next_time(
    orb: Any, thing: Any, tmp_path: Path, bind: Bind
) -> None:
    with NameService(folder=tmp_path) as service:
        bind(at(service.address, "a/日本"), thing)
    with NameService(folder=tmp_path) as service:
        assert bound(orb, service.address) == ["a", "a/日本"]
        assert resolve(orb, at(service.address, "a/日本"), PATIENCE)._is_equivalent(thing)


def said(*command: str) -> str:
    """Return what a program of Debian's prints."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout


def test_debians_nameclt_sees_what_we_bind(
    orb: Any, service: NameService, names: str, thing: Any, bind: Bind
) -> None:
    nameclt = [require_program("/usr/bin/nameclt", "omniorb"), "-ior", service.ior]
    bind(at(names, "bank/account.v1"), thing)
    assert said(*nameclt, "list") == "bank/\n"
    assert said(*nameclt, "list", "bank") == "account.v1\n"
    found = said(*nameclt, "resolve", "bank/account.v1").strip()
    assert orb.string_to_object(found)._is_equivalent(thing)


def test_what_debians_nameclt_binds_we_see(
    orb: Any, service: NameService, names: str, thing: Any
) -> None:
    nameclt = [require_program("/usr/bin/nameclt", "omniorb"), "-ior", service.ior]
    said(*nameclt, "bind_new_context", "bank")
    said(*nameclt, "bind", "bank/safe", orb.object_to_string(thing))
    assert bound(orb, names) == ["bank", "bank/safe"]
    assert resolve(orb, at(names, "bank/safe"), PATIENCE)._is_equivalent(thing)


def test_debians_catior_reads_references_as_we_do(service: NameService) -> None:
    shown = said(require_program("/usr/bin/catior", "omniorb"), service.ior)
    described = ior.read(service.ior)
    ((host, port),) = described.endpoints
    assert f'Type ID: "{described.interface}"' in shown
    assert f"IIOP 1.2 {host} {port} " in shown


@pytest.fixture
def debians(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a naming service of Debian's."""
    program = require_program("/usr/bin/omniNames", "omniorb-nameserver")
    where = ["-datadir", str(tmp_path), "-ORBendPoint", "giop:tcp:127.0.0.1:0"]
    options = getattr(request, "param", UTF8)
    with subprocess.Popen(
        [program, "-start", "2809", *where, *options], stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        said = (line.partition("Root context is ")[2].strip() for line in running.stderr)
        ((host, port),) = ior.read(next(filter(None, said))).endpoints
        yield f"corbaname://{host}:{port}"
        running.kill()


def test_debians_naming_service_is_one_like_ours(
    orb: Any, debians: str, thing: Any, bind: Bind
) -> None:
    registration = bind(at(debians, "a/日本"), thing)
    assert bound(orb, debians) == ["a", "a/日本"]
    assert resolve(orb, at(debians, "a/日本"), PATIENCE)._is_equivalent(thing)
    registration.close()
    assert bound(orb, debians) == []


@pytest.mark.parametrize("debians", [()], ids=["in its default code set"], indirect=True)
def test_letters_that_a_naming_service_has_not_are_told(
    orb: Any, debians: str, thing: Any, bind: Bind
) -> None:
    bind(at(debians, "é"), thing)
    assert bound(orb, debians) == ["é"]
    with pytest.raises(ipckit.MarshalError, match="has not all letters of the name: start it with"):
        bind(at(debians, "日本"), thing)
