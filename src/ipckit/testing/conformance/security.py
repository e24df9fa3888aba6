"""Who may be at the other end, by certificate or by what calls say; and what is served to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipckit.errors import AccessDenied, AddressError, NotSupported, TransportError
from ipckit.testing.echoes import Octets, Scalars
from ipckit.testing.rig import asked_of, serves

if TYPE_CHECKING:
    from ipckit.testing.rig import Rig


@asked_of(lambda rig: rig.wire.tls)
def test_a_certificate_of_an_unknown_authority_is_refused(rig: Rig) -> None:
    with pytest.raises(AccessDenied), rig.connect(tls=None) as subject:
        subject.text("x")


@asked_of(lambda rig: rig.wire.tls)
def test_a_client_in_clear_gets_nothing_from_a_server_with_tls(rig: Rig) -> None:
    with rig.raw(plain=True) as peer:
        peer.send(b"in clear, and longer than the head of a record\r\n\r\n")
        peer.half_close()
        assert b"clear" not in peer.until_closed()
    with pytest.raises(TransportError):
        with rig.connect(address=rig.in_clear(), timeout=1) as subject:
            subject.text("x")
    assert rig.proxy.text("next") == "next"


@asked_of(lambda rig: not rig.can.tls)
def test_tls_is_refused_where_the_wire_has_none(rig: Rig) -> None:
    scheme, _, rest = rig.address.partition(":")
    with pytest.raises(AddressError):
        rig.connect(address=f"{scheme}+tls:{rest}")


@asked_of(serves)
def test_a_policy_that_fails_admits_nobody_where_calls_say_who_makes_them(rig: Rig) -> None:
    def admit(caller: object) -> None:
        raise ZeroDivisionError

    if not rig.can.admission:
        with pytest.raises(NotSupported, match="admit"):
            rig.serve(Scalars(), admit=admit)
        return
    with rig.serve(Scalars(), admit=admit) as server:
        with rig.connect(Scalars, str(server.address)) as subject, pytest.raises(AccessDenied):
            subject.text("x")


@asked_of(lambda rig: serves(rig) and not rig.can.many_servants)
def test_servants_that_the_wire_cannot_tell_apart_are_not_served_together(rig: Rig) -> None:
    with pytest.raises(NotSupported, match="one object"):
        rig.serve([Scalars(), Octets()])


@asked_of(lambda rig: serves(rig) and not rig.can.registration)
def test_a_server_is_not_listed_where_there_is_no_list(rig: Rig) -> None:
    with pytest.raises(NotSupported, match="listed"):
        rig.serve(Scalars(), register=True)
