"""A simulated router at its command line on TCP: login, prompt, echo, pages, announcements.

$ python -m ipckit.examples.dialogue_router_bare_server tcp://127.0.0.1:0
ready dialogue+tcp://admin:sesame@127.0.0.1:PORT
"""

import contextlib
import signal
import socketserver
import sys

ACCOUNT = ("admin", "sesame")
PAGE = 2


class Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.converse()

    def converse(self) -> None:
        self.states = {"eth0": "up", "eth1": "up", "eth2": "down"}
        self.say("Simulated Router 1.0, Zürich\r\nThis prompt is not one: router> \r\n")
        user = self.hear("login: ")
        password = self.hear("Password: ")
        if (user, password) != ACCOUNT:
            self.say("Login incorrect\r\n")
            return
        while (line := self.hear("router> ")) not in (None, "exit"):
            self.say(f"{line}\r\n")
            match str(line).split():
                case ["show", "interfaces"]:
                    self.show()
                case ["shutdown", name] if name in self.states:
                    self.states[name] = "down"
                    self.say(f"* {name} went down\r\n")
                case _:
                    self.say("% Invalid input\r\n")

    def say(self, text: str) -> None:
        self.wfile.write(text.encode("latin-1"))

    def hear(self, prompt: str) -> str | None:
        self.say(prompt)
        line = self.rfile.readline()
        return line.decode("latin-1").strip() if line else None

    def show(self) -> None:
        for shown, (name, state) in enumerate(self.states.items()):
            if shown and shown % PAGE == 0:
                self.say("--More--")
                self.rfile.read(1)  # any key
                self.say("\r        \r")
            self.say(f"{name} is {state}, {shown * 7} errors\r\n")


def main(address: str = "tcp://127.0.0.1:0") -> None:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with socketserver.ThreadingTCPServer((host, int(port)), Conversation) as server:
        server.daemon_threads = True
        at = f"{':'.join(ACCOUNT)}@{host}:{server.server_address[1]}"
        print(f"ready dialogue+tcp://{at}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
