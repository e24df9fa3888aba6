"""The recipes: `python -m ipckit.examples.NAME` runs one."""
