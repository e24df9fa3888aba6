"""Contracts as text: one module a format, each way between that text and the contract."""
