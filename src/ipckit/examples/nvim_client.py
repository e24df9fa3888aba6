"""Drive a real Neovim, which speaks MessagePack-RPC and has never heard of ipckit.

The contract is written down here from `:help api`; only what is used needs to be in it.

Needs: nvim (Debian: neovim)

$ python -m ipckit.examples.nvim_client "pipe:nvim --embed --headless -u NONE"
1 + 1 = 2
the buffer: ['Hello', 'from Python']
an error: Vim:E121: Undefined variable: nonsense
"""

import sys
from typing import Any, Protocol

import ipckit


class Neovim(Protocol):
    def nvim_eval(self, expr: str) -> Any: ...
    def nvim_put(self, lines: list[str], type: str, after: bool, follow: bool) -> None: ...  # noqa: A002
    def nvim_buf_get_lines(
        self, buffer: int, start: int, end: int, strict_indexing: bool
    ) -> list[str]: ...


def main(address: str) -> None:
    with ipckit.connect(Neovim, address) as nvim:
        print("1 + 1 =", nvim.nvim_eval("1 + 1"))
        nvim.nvim_put(["Hello", "from Python"], "c", True, True)
        print("the buffer:", nvim.nvim_buf_get_lines(0, 0, -1, True))
        try:
            nvim.nvim_eval("nonsense")
        except ipckit.Fault as fault:
            print("an error:", fault.message)


if __name__ == "__main__":
    main(*sys.argv[1:])
