r"""Ask bc on a terminal of its own, with `pexpect` alone.

What a terminal adds has to be taken away again: the echo of the question, the \r before each \n,
and the 50 ms that pexpect waits before it sends a line.

Needs: bc (Debian: bc)

$ python -m ipckit.examples.pexpect_bare_client
add(2, 3) = 5
divide(1, 8) = 0.125
divide(1, 0): Runtime error: Divide by zero
add(40, 2) = 42
the program ended with 0
"""

import os
import re

import pexpect

ERROR = re.compile(r"(\w+ error)[^:]*: ([^\r]+)\r\n")
NUMBER = re.compile(r"(-?[\d.]+)\r\n")


class BcError(Exception):
    """bc printed an error in place of a number."""


class Bc:
    def __init__(self) -> None:
        # TERM: on a dumb terminal readline writes no escape sequences around the answers.
        self.program = pexpect.spawn(
            "bc",
            ["-q"],
            timeout=10,
            echo=False,
            encoding="utf-8",
            env={**os.environ, "TERM": "dumb"},
        )
        self.program.delaybeforesend = None

    def ask(self, question: str) -> str:
        self.program.sendline(question)
        self.program.expect([ERROR, NUMBER])
        answer = self.program.match
        assert isinstance(answer, re.Match)
        if answer.re is ERROR:
            raise BcError(f"{answer[1]}: {answer[2]}")
        return answer[1]

    def add(self, x: int, y: int) -> int:
        return int(self.ask(f"{x} + {y}"))

    def divide(self, x: float, y: float) -> float:
        return float(self.ask(f"scale=16; {x} / {y}"))

    def quit(self) -> int | None:
        self.program.sendline("quit")
        self.program.expect(pexpect.EOF)
        self.program.close()
        return self.program.exitstatus


def main() -> None:
    bc = Bc()
    try:
        print("add(2, 3) =", bc.add(2, 3))
        print("divide(1, 8) =", bc.divide(1, 8))
        try:
            bc.divide(1, 0)
        except BcError as error:
            print("divide(1, 0):", error)
        print("add(40, 2) =", bc.add(40, 2))
        print("the program ended with", bc.quit())
    finally:
        bc.program.close(force=True)


if __name__ == "__main__":
    main()
