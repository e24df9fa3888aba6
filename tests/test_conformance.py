"""Every promise on every mechanism, transport and face; a third party needs no more than this."""

from ipckit.testing.conformance import *  # noqa: F403
