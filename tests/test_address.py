"""Addresses: what their text means, what they refuse, and that a password is never shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipckit._address import Address
from ipckit.errors import AddressError


def parts(text: str) -> dict[str, Any]:
    """Return what an address says, beside its defaults."""
    address, plain = Address.parse(text), Address("")
    named = {name: getattr(address, name) for name in Address.__dataclass_fields__}
    return {name: part for name, part in named.items() if part != getattr(plain, name)}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tcp://127.0.0.1:0", {"mechanism": "tcp", "host": "127.0.0.1", "port": 0}),
        ("tcp://host", {"mechanism": "tcp", "host": "host"}),
        ("tcp://:80", {"mechanism": "tcp", "port": 80}),
        ("TCP://Host:80", {"mechanism": "tcp", "host": "host", "port": 80}),
        ("tcp://[::1]:80", {"mechanism": "tcp", "host": "::1", "port": 80}),
        ("tcp://[fe80::1%eth0]:80", {"mechanism": "tcp", "host": "fe80::1%eth0", "port": 80}),
        ("tcp://[fe80::1%25eth0]:80", {"mechanism": "tcp", "host": "fe80::1%eth0", "port": 80}),
        ("tcp+tls://host:80", {"mechanism": "tcp", "tls": True, "host": "host", "port": 80}),
        ("udp://224.0.0.1:5", {"mechanism": "udp", "host": "224.0.0.1", "port": 5}),
        ("memory://", {"mechanism": "memory"}),
        ("memory://name", {"mechanism": "memory", "host": "name"}),
        ("xmlrpc://host/a%20b", {"mechanism": "xmlrpc", "host": "host", "path": "/a b"}),
        ("a+b+tls://h", {"mechanism": "a", "transport": "b", "tls": True, "host": "h"}),
    ],
)
def test_an_address_of_a_host_says(text: str, meant: dict[str, Any]) -> None:
    assert parts(text) == meant


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("tcp://u@h", "u", None),
        ("tcp://u:p@h", "u", "p"),
        ("tcp://u:@h", "u", ""),
        ("tcp://:p@h", "", "p"),
        ("tcp://u:p:q:r@h", "u", "p:q:r"),
        ("tcp://u:p@q@h", "u", "p@q"),
        ("tcp://u%40x:p%2Fq%25@h", "u@x", "p/q%"),
        ("xmlrpc+unix://u:p:q@/run/s?path=/RPC2", "u", "p:q"),
    ],
)
def test_an_address_carries_credentials(text: str, user: str, password: str | None) -> None:
    address = Address.parse(text)
    assert (address.user, address.password) == (user, password)
    assert address.host in ("h", "")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("unix:///run/s.sock", "/run/s.sock"),
        ("unix:s.sock", "s.sock"),
        ("unix:run/s.sock", "run/s.sock"),
        ("unix:./s.sock", "./s.sock"),
        ("unix:///a b/ü", "/a b/ü"),
        ("unix:///a%20b%3Fc", "/a b?c"),
        ("unix:///a@b:c", "/a@b:c"),
        ("xmlrpc+unix:///run/s.sock?path=/RPC2", "/run/s.sock"),
    ],
)
def test_an_address_of_a_socket_says_its_path(text: str, path: str) -> None:
    assert Address.parse(text).path == path


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("pipe:", []),
        ("pipe:nvim --embed", ["nvim", "--embed"]),
        ("pipe://nvim --embed", ["nvim", "--embed"]),
        ("pipe:python -c 'print(1, 2)'", ["python", "-c", "print(1, 2)"]),
        ('pipe:"/with a space/x" a\\ b', ["/with a space/x", "a b"]),
        ("pipe:echo $HOME; ls | wc > /x", ["echo", "$HOME;", "ls", "|", "wc", ">", "/x"]),
        ("pipe:curl u:p@h?a=b#c", ["curl", "u:p@h?a=b#c"]),
        ("jsonrpc+pipe:pylsp", ["pylsp"]),
    ],
)
def test_a_command_is_split_as_a_shell_would_and_by_no_shell(text: str, argv: list[str]) -> None:
    assert Address.parse(text).argv == argv


def test_what_stands_after_the_question_mark_is_keys_and_values() -> None:
    address = Address.parse("xmlrpc+unix:///run/s?path=/a%26b&i8=yes&nil=")
    assert address.query == {"path": "/a&b", "i8": "yes", "nil": ""}


def test_the_scheme_is_read_without_regard_to_case() -> None:
    assert Address.parse("TCP+TLS://host:1").scheme == "tcp+tls"


def test_the_wire_of_a_bare_transport_is_its_own_name() -> None:
    assert Address.parse("tcp://h").wire == "tcp"
    assert Address.parse("xmlrpc+unix:///s").wire == "unix"
    assert Address.parse("xmlrpc+unix+tls:///s").scheme == "xmlrpc+unix+tls"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it must start with a mechanism, as in tcp://127.0.0.1:0"),
        ("127.0.0.1:80", "it must start with a mechanism"),
        ("1tcp://h", "it must start with a mechanism"),
        ("tcp", "it must start with a mechanism"),
        ("täp://h", "it must start with a mechanism"),
        ("tcp:h", "after tcp: come two slashes"),
        ("tcp+tls+unix://h", r"the scheme is MECHANISM\[\+TRANSPORT\]\[\+tls\]"),
        ("a+b+c://h", r"the scheme is MECHANISM\[\+TRANSPORT\]\[\+tls\]"),
        ("tcp://h:x", "the port is no number from 0 to 65535"),
        ("tcp://h:65536", "the port is no number from 0 to 65535"),
        ("tcp://h:-1", "the port is no number from 0 to 65535"),
        ("tcp://[::1", "the host is no name and no IP address"),
        ("tcp://%3A:80", "the host is no name and no IP address"),
        ("tcp://[x]:80", "the host is no name and no IP address"),
        ("tcp://[::1]x:80", r"IPv6 stands in brackets: \[::1\]:80"),
        ("tcp://x[::1]:80", r"IPv6 stands in brackets: \[::1\]:80"),
        ("tcp://h#part", "an address has no #fragment"),
        ("tcp://h\n", "holds a control character"),
        ("pipe:a\0b", "holds a control character"),
        ("unix://run/s.sock", "a path has three slashes, as in unix:///run/"),
        ("xmlrpc://h?i8", "the part after [?] is not key=value&key=value"),
        ("xmlrpc://h?i8=a&i8=b", "a key after [?] stands twice"),
    ],
)
def test_a_wrong_address_is_quoted_with_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason) as caught:
        Address.parse(text)
    assert repr(text) in str(caught.value)


def test_an_open_quote_in_a_command_is_refused() -> None:
    with pytest.raises(AddressError, match="pipe:say 'hello: No closing quotation in the command"):
        _ = Address.parse("pipe:say 'hello").argv


@pytest.mark.parametrize("text", [None, b"tcp://h", 80])
def test_an_address_is_text(text: Any) -> None:
    with pytest.raises(AddressError, match=f"an address is text, not {type(text).__name__}"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tcp://u:secret@h:80", "tcp://u:***@h:80"),
        ("tcp://u:se:cret@h", "tcp://u:***@h"),
        ("xmlrpc+unix://u:secret@/run/s?path=/x", "xmlrpc+unix://u:***@/run/s?path=/x"),
        ("tcp://u@h", "tcp://u@h"),
    ],
)
def test_a_password_is_never_shown(text: str, shown: str) -> None:
    address = Address.parse(text)
    assert str(address) == shown
    assert "cret" not in repr(address)
    assert Address.parse(address.text) == address


@pytest.mark.parametrize(
    "text",
    [
        "tcp://u:secret@h:x",
        "tcp://u:s/ecret@h",
        "tcp://u:s#ecret@h",
        "tcp://u:s?ecret@h",
        "tcp://u:s@ecret@h:x",
        "tcp://u:secret@h#x",
        "tcp://u:secret@[::1",
        "tcp://u:secret@[::1]x:1",
        "tcp://u:[secret]@h",
        "tcp://u:secret@h\u2100",
        "tcp://u:secret@h?x",
        "tcp:u:secret@h",
        "tcp:/u:secret@h",
        "tcp://u:secret@h\n",
        "tcp://u:sec\nret@h",
        "a+b+c://u:secret@h",
        "unix://u:secret@h/s",
        "u:secret@h",
    ],
)
def test_a_password_is_not_shown_in_what_is_wrong_with_an_address(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        Address.parse(text)
    assert "ret" not in str(caught.value)
    assert "***" in str(caught.value)


# --- What is written is read again ------------------------------------------------------------

_printable = st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f")
_text = st.text(_printable, max_size=8)
_logins: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"user": _text}),
    st.fixed_dictionaries({"user": _text, "password": _text}),
)
_queries = st.dictionaries(_text, _text, max_size=2)
_hosts = st.sampled_from(
    ["", "h", "a-b.c", "127.0.0.1", "::1", "fe80::1%eth0", "a b", "a/b", "a@b"]
)
_paths = st.text(_printable, max_size=12).map("/{}".format)
_ports = st.one_of(st.none(), st.integers(0, 65535))


@given(_logins, _hosts, _ports, st.one_of(st.just(""), _paths), _queries)
def test_an_address_of_a_host_is_read_as_it_was_written(
    login: dict[str, Any], host: str, port: int | None, path: str, query: dict[str, str]
) -> None:
    address = Address("xmlrpc", host=host, port=port, path=path, query=query, **login)
    assert Address.parse(address.text) == address


@given(_logins, _paths, _queries)
def test_an_address_of_a_socket_is_read_as_it_was_written(
    login: dict[str, Any], path: str, query: dict[str, str]
) -> None:
    address = Address("xmlrpc", "unix", path=path, query=query, **login)
    assert Address.parse(address.text) == address


@given(st.text(_printable, min_size=1).filter(lambda path: not path.startswith("/")))
def test_a_relative_path_is_read_as_it_was_written(path: str) -> None:
    address = Address("unix", path=path)
    assert Address.parse(address.text) == address


@given(st.text(_printable))
def test_whatever_follows_a_scheme_is_an_address_or_an_address_error(rest: str) -> None:
    for scheme in ("tcp:", "tcp://", "tcp://u:p@", "unix:", "unix://", "pipe:", "xmlrpc://h?"):
        try:
            address = Address.parse(scheme + rest)
        except AddressError:
            continue
        assert Address.parse(address.text) == address


@given(st.from_regex(r"\A(tcp|unix|xmlrpc|pipe|memory)(\+tls)?:(//)?[!-~]{0,40}\Z"))
def test_what_looks_like_an_address_is_one_or_an_address_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except AddressError:
        return
    assert Address.parse(address.text) == address
