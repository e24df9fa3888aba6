"""Call the calculator over TCP from asyncio: two calls at once share the connection.

$ python -m ipckit.examples.tcp_aio_client tcp://127.0.0.1:PORT
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
"""

import asyncio
import sys

import ipckit.aio
from ipckit.examples.calculator import AsyncCalculator, DivisionByZero

NUMBERS = [1.5, 2.5, 3.5]


async def call(address: str) -> None:
    async with ipckit.aio.connect(AsyncCalculator, address) as calculator:
        total, mean = await asyncio.gather(calculator.add(2, 3), calculator.mean(NUMBERS))
        print("add(2, 3) =", total)
        print(f"mean({NUMBERS}) = {mean}")
        summary = await calculator.summarize(NUMBERS)
        print(f"summarize({NUMBERS}) = {summary.count} numbers up to {summary.largest}")
        try:
            await calculator.divide(1, 0)
        except DivisionByZero as error:
            print("divide(1, 0):", error)


if __name__ == "__main__":
    asyncio.run(call(*sys.argv[1:]))
