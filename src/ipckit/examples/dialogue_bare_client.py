"""Ask bc over pipes with `subprocess` alone.

It works because bc answers every line with one line, and at once. Nothing bounds the wait for an
answer, and one line too many or too few would put every later answer beside the wrong question.

Needs: bc (Debian: bc)

$ python -m ipckit.examples.dialogue_bare_client
add(2, 3) = 5
divide(1, 8) = 0.125
divide(1, 0): Runtime error: Divide by zero
add(40, 2) = 42
the program ended with 0
"""

import re
import subprocess
from types import TracebackType


class BcError(Exception):
    """bc printed an error in place of a number."""


class Bc:
    def __enter__(self) -> "Bc":
        self.program = subprocess.Popen(
            ["bc", "-q"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # its errors are answers too, and belong in their order
            text=True,
            bufsize=1,  # a question that stays in our buffer is never answered
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.program.communicate("quit\n")

    def ask(self, question: str) -> str:
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(f"{question}\n")
        answer = self.program.stdout.readline()
        if not answer:
            raise BcError("bc ended")
        failed = re.match(r"(\w+ error)[^:]*: (.+)", answer)
        if failed:
            raise BcError(f"{failed[1]}: {failed[2]}")
        return answer.strip()

    def add(self, x: int, y: int) -> int:
        return int(self.ask(f"{x} + {y}"))

    def divide(self, x: float, y: float) -> float:
        return float(self.ask(f"scale=16; {x} / {y}"))


def main() -> None:
    with Bc() as bc:
        print("add(2, 3) =", bc.add(2, 3))
        print("divide(1, 8) =", bc.divide(1, 8))
        try:
            bc.divide(1, 0)
        except BcError as error:
            print("divide(1, 0):", error)
        print("add(40, 2) =", bc.add(40, 2))
    print("the program ended with", bc.program.returncode)


if __name__ == "__main__":
    main()
