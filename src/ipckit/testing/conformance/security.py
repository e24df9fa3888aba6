"""Who may be at the other end: TLS certificates, where the wire has TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipckit.errors import AccessDenied, AddressError, TransportError
from ipckit.testing.rig import asked_of

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
