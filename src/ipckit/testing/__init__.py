"""The conformance suite, shipped: every promise of ipckit on every mechanism, yours too.

See `ipckit.testing.plugin` for the two lines that run it.
"""
