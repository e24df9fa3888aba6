"""Keep notes in sqlite3's shell: a text is quoted as its language quotes, so none is a command.

Needs: sqlite3 (Debian: sqlite3)

$ python -m ipckit.examples.dialogue_sqlite_client dialogue:
O'Brien: x'); drop table notes; --
"""

import sys
from typing import Protocol

import ipckit


class Notes(Protocol):
    def add(self, author: str, text: str) -> None: ...
    def texts(self, author: str) -> list[str]: ...


class Sqlite(Notes, ipckit.Dialogue):
    command = ("sqlite3", "-cmd", "create table notes (author, text);", "-cmd", ".print ready")
    newline = "\n.print ready\n"  # its own prompt is for terminals only
    prompt = "^ready\n"
    errors = (r"^(?P<kind>\w+ error)[^:]*: (?P<message>.+)",)
    add = ipckit.ask("insert into notes values ({author}, {text});")
    texts = ipckit.ask("select text from notes where author = {author};", "^.+$")

    @classmethod
    def escape(cls, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"


def main(address: str) -> None:
    with ipckit.connect(Sqlite, address) as notes:
        notes.add("O'Brien", "x'); drop table notes; --")
        print("O'Brien:", *notes.texts("O'Brien"))


if __name__ == "__main__":
    main(*sys.argv[1:])
