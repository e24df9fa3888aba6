"""The command line, run as a user runs it: real processes, real peers, exit status and one line."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import supervisord
from requirements import require_program

from ipckit import _registry
from ipckit.cli import parser

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
CALCULATOR = "ipckit.examples.calculator:Calculator"
CHILD = f"pipe:{shlex.join([sys.executable, '-m', 'ipckit', 'serve', '-q', CALCULATOR, 'pipe:'])}"
COMMANDS = sorted(parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr,arg-type]
PATIENCE = 30

SERVANT = '''
from __future__ import annotations
from dataclasses import dataclass
import datetime, os, time
import ipckit

@dataclass
class Reading:
    at: datetime.datetime
    raw: bytes
    unit: str | None = None

class Rude(Exception):
    pass

class Station:
    """A weather station."""

    changed = ipckit.Signal[float]()

    def __init__(self) -> None:
        self._name = "north"

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    def reading(self, reading: Reading) -> Reading:
        """Return the reading."""
        return reading

    def text(self, value: str) -> str:
        return f"{value!r}"

    def forge(self) -> str:
        return "\\x1b]0;owned\\x07 two\\nlines \\u202e"

    def rude(self) -> None:
        raise Rude("\\x1b[31mred\\nsecond line")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def die(self) -> None:
        os._exit(7)

    @ipckit.oneway
    def note(self, value: int) -> None: ...
'''


def environment(**more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if k != "IPCKIT_PASSWORD"}
    return {**clean, "PATH": f"{BIN}{os.pathsep}{clean['PATH']}", "COLUMNS": "200", **more}


def ipckit(
    *words: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ipckit", *words],
        env=environment(**variables),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def says(done: subprocess.CompletedProcess[str], status: int, pattern: str) -> bool:
    """Check the exit status, and that one line on stderr, without a traceback, says so."""
    assert (done.returncode, done.stdout) == (status, ""), done
    assert done.stderr.count("\n") == 1, done.stderr
    assert re.search(pattern, done.stderr), done.stderr
    return True


@contextlib.contextmanager
def serving(*words: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        ["ipckit", "serve", *words],
        env=environment(),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.terminate()
            process.communicate(timeout=PATIENCE)


def ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    word, address = process.stdout.readline().split()
    assert word == "ready"
    return address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("station")
    (folder / "station.py").write_text(SERVANT)
    return folder


@pytest.fixture(scope="module")
def calculator() -> Iterator[str]:
    with serving(CALCULATOR, "tcp://127.0.0.1:0") as process:
        yield ready(process)


@pytest.fixture(scope="module")
def station(folder: Path) -> Iterator[str]:
    with serving("station.py:Station", "tcp://127.0.0.1:0", cwd=folder) as process:
        yield ready(process)


@pytest.fixture
def silent() -> Iterator[str]:
    """A peer that takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def vacant() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"tcp://127.0.0.1:{listener.getsockname()[1]}"


# call


def test_call_prints_the_result(calculator: str) -> None:
    done = ipckit("call", calculator, "add", "2", "3")
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")


def test_call_takes_json_and_prints_json(calculator: str) -> None:
    done = ipckit("call", calculator, "summarize", "[1, 2.5, 4]", "--json")
    assert json.loads(done.stdout) == {"count": 3, "mean": 2.5, "largest": 4.0}


@pytest.mark.parametrize(
    "words",
    [
        ("--timeout", "9", "{}", "add", "-2", "3"),
        ("{}", "--timeout", "9", "add", "-2", "3"),
        ("{}", "add", "--timeout", "9", "-2", "3"),
        ("{}", "add", "-2", "--json", "3"),
        ("{}", "add", "--", "-2", "3"),
        ("--json", "--", "{}", "add", "-2", "3"),
    ],
)
def test_options_stand_anywhere(calculator: str, words: tuple[str, ...]) -> None:
    done = ipckit("call", *(word.replace("{}", calculator) for word in words))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_call_starts_a_child() -> None:
    assert ipckit("call", CHILD, "add", "2", "3").stdout == "5\n"


def test_the_peers_types_decide_what_an_argument_is(station: str) -> None:
    assert ipckit("call", station, "text", "5").stdout == "'5'\n"
    assert ipckit("call", station, "text", '"5"').stdout == "'5'\n"
    assert ipckit("call", station, "text", "five words or so").stdout == "'five words or so'\n"


def test_times_and_bytes_are_typed_by_what_the_peer_tells(station: str) -> None:
    given = {"at": "2024-02-29T12:00:00Z", "raw": "AAE=", "unit": None}
    done = ipckit("call", station, "reading", json.dumps(given))
    assert json.loads(done.stdout) == given


def test_untyped_arguments_are_json_alone(station: str) -> None:
    assert says(
        ipckit("call", station, "text", "5", "--untyped"), 1, "BadArguments: Expected `str`"
    )


def test_a_contract_checks_before_anything_is_sent(vacant: str) -> None:
    done = ipckit("call", vacant, "add", "2", "x", "--contract", CALCULATOR)
    assert says(done, 2, r"add\(x: int, y: int\) -> int: Expected `int`, got `str` - at `\$\.y`")
    done = ipckit("call", vacant, "add", "2", "--contract", CALCULATOR)
    assert says(done, 2, r"takes 2 arguments \(x, y\), got 1$")
    done = ipckit("call", vacant, "ad", "--contract", CALCULATOR)
    assert says(done, 2, "did you mean 'add'")


def test_a_call_with_a_contract_prints_the_result(calculator: str) -> None:
    done = ipckit("call", calculator, "mean", "[1, 2]", "--contract", CALCULATOR)
    assert done.stdout == "1.5\n"


def test_a_contract_can_be_a_file(calculator: str, tmp_path: Path) -> None:
    ipckit("export", CALCULATOR, "--to", "openrpc", "-o", "c.json", cwd=tmp_path)
    done = ipckit("call", calculator, "add", "2", "3", "--contract", "c.json", cwd=tmp_path)
    assert done.stdout == "5\n"


def test_attributes_and_oneway_operations_are_called_by_name(station: str) -> None:
    assert ipckit("call", station, "set_name", "south").stdout == "null\n"
    assert ipckit("call", station, "get_name").stdout == "south\n"
    assert ipckit("call", station, "note", "1").returncode == 0


@pytest.mark.parametrize("contract", [(), ("--contract", CALCULATOR)])
def test_a_fault_is_status_1(calculator: str, contract: tuple[str, ...]) -> None:
    done = ipckit("call", calculator, "divide", "1", "0", *contract)
    assert says(done, 1, r"DivisionByZero: 1\.0 cannot be divided by zero$")


def test_a_wrong_type_is_the_peers_fault(calculator: str) -> None:
    assert says(ipckit("call", calculator, "add", "2", "x"), 1, r"BadArguments: .* at `\$\.y`")


def test_an_unknown_operation_gets_advice(calculator: str) -> None:
    assert says(ipckit("call", calculator, "ad", "2", "3"), 1, "did you mean 'add'")


def test_nobody_listening_is_status_3(vacant: str) -> None:
    assert says(ipckit("call", vacant, "add", "2", "3"), 3, f"{vacant}: Connection refused")


def test_a_peer_that_dies_is_status_3(folder: Path) -> None:
    with serving("station.py:Station", "tcp://127.0.0.1:0", cwd=folder) as process:
        assert says(ipckit("call", ready(process), "die"), 3, "closed the connection")


def test_a_child_that_dies_says_its_last_words() -> None:
    done = ipckit("call", "pipe:sh -c 'echo no licence >&2; exit 7'", "add")
    assert done.returncode == 3
    assert "no licence" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_deadline_is_status_4(station: str, silent: str) -> None:
    assert says(ipckit("call", station, "sleep", "20", "--timeout", "0.5"), 4, "no answer within")
    assert says(ipckit("call", silent, "add", "--timeout", "0.5"), 4, "no answer within")
    assert says(ipckit("call", silent, "add", "1", "--timeout", "0.5"), 4, "no answer within")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tpc://127.0.0.1:1", "did you mean tcp"),
        ("nonsense", "'nonsense' is no address"),
        ("tcp://127.0.0.1", "the port is missing"),
        ("tcp://127.0.0.1:1?path=x", "tcp knows no 'path'"),
        ("tcp+unix:///x", "tcp does not run on unix"),
        ("xmlrpc://user:secret@[::1", r"user:\*\*\*@"),
    ],
)
def test_a_wrong_address_is_status_2(address: str, said: str) -> None:
    assert says(ipckit("call", address, "add"), 2, said)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("cal",),
        ("call",),
        ("call", "tcp://127.0.0.1:1", "add", "--timeout", "-1"),
        ("serve", CALCULATOR),
        ("serve", "nowhere:Thing", "tcp://127.0.0.1:0"),
        ("serve", f"{CALCULATOR}x", "tcp://127.0.0.1:0"),
        ("serve", "nowhere.py:Thing", "tcp://127.0.0.1:0"),
        ("describe", "nowhere.json:x"),
        ("doctor", "tpc"),
        ("check", CALCULATOR, "--on", "tpc"),
        ("export", CALCULATOR, "--to", "pyhton"),
        ("export", CALCULATOR, "--to", "openrpc", "--async"),
        ("import", "nowhere.json"),
        ("recipe", "tcp_sever"),
        ("recipe", "--run"),
        ("tour", "tpc"),
        ("bench", "tpc"),
        ("bench", "tcp", "--only", "ad"),
    ],
)
def test_wrong_usage_is_status_2(words: tuple[str, ...]) -> None:
    assert says(ipckit(*words), 2, "^ipckit: ")


def test_no_error_repeats_a_password() -> None:
    done = ipckit("list", "xmlrpc://user:secret@127.0.0.1:1")
    assert says(done, 2, r"unrecognized arguments: xmlrpc://user:\*\*\*@127")


def test_a_module_that_fails_to_import_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0")
    done = ipckit("serve", "bad.py:Thing", "tcp://127.0.0.1:0", cwd=tmp_path)
    assert says(done, 2, "importing it raised ZeroDivisionError")


# Terminals


def on_terminal(*words: str, **variables: str) -> str:
    """Run with a terminal for stdout and stderr; return all that it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["ipckit", *words],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that its other end is closed
            while part := os.read(ours, 65536):
                shown += part
        os.close(ours)
        process.wait(PATIENCE)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_no_control_characters_from_a_peer(station: str) -> None:
    assert on_terminal("call", station, "forge") == "\\x1b]0;owned\\x07 two\nlines \\u202e\n"
    assert on_terminal("call", station, "rude") == "ipckit: Rude: \\x1b[31mred / second line\n"


def test_a_pipe_gets_a_text_as_it_is(station: str) -> None:
    assert ipckit("call", station, "forge").stdout == "\x1b]0;owned\x07 two\nlines \u202e\n"


def test_json_holds_nothing_that_a_terminal_obeys(station: str) -> None:
    shown = ipckit("call", station, "forge", "--json").stdout
    assert shown == '"\\u001b]0;owned\\u0007 two\\nlines \\u202e"\n'


def test_a_terminal_gets_tables() -> None:
    assert "─" in on_terminal("list", TERM="xterm")
    assert "─" not in ipckit("list").stdout


@pytest.mark.parametrize("command", ["list", "recipe", "--help"])
def test_a_broken_stdout_is_no_error(command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"ipckit {command} | head -0; echo ${{PIPESTATUS[0]}}"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_closed_stdout_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", "ipckit list >&-"],
        env=environment(),
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.usefixtures("uncovered")
def test_ctrl_c_is_quiet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with subprocess.Popen(
            ["ipckit", "call", address, "add"], env=environment(), stderr=subprocess.PIPE
        ) as process:
            peer, _ = listener.accept()
            with peer:
                assert peer.recv(1)  # the call is under way
                process.send_signal(signal.SIGINT)
                assert process.communicate(timeout=PATIENCE)[1] == b""
    assert process.returncode == 130


# serve


@pytest.mark.usefixtures("uncovered")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    with serving(CALCULATOR, "tcp://127.0.0.1:0", f"unix://{tmp_path}/s.sock") as process:
        addresses = [ready(process), ready(process)]
        assert ipckit("call", addresses[1], "add", "2", "3").stdout == "5\n"
        process.send_signal(number)
        assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0
    assert not (tmp_path / "s.sock").exists()


def test_serve_masks_the_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open:sesame\n")
    options = ("xmlrpc://ali@127.0.0.1:0", "--password-file", f"{tmp_path}/password")
    with serving(CALCULATOR, *options) as process:
        address = ready(process)
        assert ":***@" in address
        plain = address.replace(":***@", "@")
        assert ipckit("call", plain, "add", "2", "3", IPCKIT_PASSWORD="open:sesame").stdout == "5\n"
        assert says(ipckit("call", plain, "add", "2", "3", IPCKIT_PASSWORD="x"), 3, "401")


def test_serve_refuses_what_a_wire_cannot_carry(folder: Path) -> None:
    done = ipckit("serve", "station.py:Station", "xmlrpc://127.0.0.1:0", cwd=folder)
    assert says(done, 2, "Station.changed: xmlrpc carries no signals")


def test_serve_exposes_the_contract_alone(tmp_path: Path) -> None:
    (tmp_path / "narrow.py").write_text(
        "class Adder:\n    def add(self, x: int, y: int) -> int: ..."
    )
    options = ("--contract", "narrow.py:Adder")
    with serving(CALCULATOR, "tcp://127.0.0.1:0", *options, cwd=tmp_path) as process:
        address = ready(process)
        assert ipckit("call", address, "add", "2", "3").stdout == "5\n"
        assert says(ipckit("call", address, "mean", "[1]"), 1, "UnknownOperation")


# describe, check, export, import


def test_describe_shows_what_a_peer_offers(station: str) -> None:
    shown = ipckit("describe", station).stdout
    assert shown.startswith("contract Station\n    A weather station.\n")
    assert "\nattribute name: str\n    What it is called.\n" in shown
    assert "\nreading(reading: Reading) -> Reading\n    Return the reading.\n" in shown
    assert "\nnote(value: int) -> None  (one-way)\n" in shown
    assert shown.endswith("\nsignal changed: float\n")


def test_a_peer_a_class_and_a_file_are_described_alike(station: str, folder: Path) -> None:
    of_peer = ipckit("describe", station, "--json").stdout
    of_class = ipckit("describe", "station.py:Station", "--json", cwd=folder).stdout
    (folder / "station.json").write_text(of_class)
    assert of_peer == of_class == ipckit("describe", "station.json", "--json", cwd=folder).stdout


def test_describe_says_that_a_peer_tells_nothing(folder: Path) -> None:
    with serving("station.py:Station", "tcp://127.0.0.1:0", "--no-discovery", cwd=folder) as mute:
        assert says(ipckit("describe", ready(mute)), 2, "answers no question")


def test_check_tells_which_wire_carries_what(folder: Path) -> None:
    done = ipckit("check", "station.py:Station", "--json", cwd=folder)
    verdicts = {wire["mechanism"]: wire for wire in json.loads(done.stdout)["wires"]}
    assert done.returncode == 0
    assert verdicts["tcp"]["fits"]
    assert "Station.changed: xmlrpc carries no signals" in verdicts["xmlrpc"]["misfits"]


def test_check_fails_where_a_named_wire_does_not_carry_it(folder: Path) -> None:
    assert ipckit("check", "station.py:Station", "--on", "tcp,unix", cwd=folder).returncode == 0
    assert ipckit("check", "station.py:Station", "--on", "tcp,xmlrpc", cwd=folder).returncode == 2


def test_check_refuses_a_hint_that_nobody_reads(tmp_path: Path) -> None:
    text = "import ipckit\nclass C:\n    @ipckit.hint('tpc', x=1)\n    def f(self) -> None: ...\n"
    (tmp_path / "hinted.py").write_text(text)
    done = ipckit("check", "hinted.py:C", cwd=tmp_path)
    assert done.returncode == 2
    assert "C.f: the hint is for 'tpc', which is no mechanism" in done.stdout


def test_an_exported_contract_is_imported_again(tmp_path: Path) -> None:
    ipckit("export", CALCULATOR, "--to", "openrpc", "-o", "c.json", cwd=tmp_path)
    ipckit("import", "c.json", "-o", "c.py", cwd=tmp_path)
    again = ipckit("export", "c.py:Calculator", "--to", "openrpc", cwd=tmp_path).stdout
    assert again == (tmp_path / "c.json").read_text()


# list, doctor, recipe, tour


def test_list_has_every_mechanism() -> None:
    listed = {row["mechanism"]: row for row in json.loads(ipckit("list", "--json").stdout)}
    assert set(listed) == set(_registry.rows())
    assert listed["tcp"]["state"] == "ready"
    assert listed["tcp"]["version"]


def test_doctor_proves_every_mechanism() -> None:
    done = ipckit("doctor", "--json")
    findings = json.loads(done.stdout)
    assert done.returncode == 0
    assert {finding["mechanism"] for finding in findings} == set(_registry.rows())
    proved = [finding for finding in findings if finding["result"] != "no proof"]
    assert all(finding["result"] == "ok" and finding["microseconds"] for finding in proved)


def test_recipe_shows_a_file() -> None:
    shown = ipckit("recipe", "tcp_client").stdout
    assert shown == (Path(__file__).parent.parent / "examples/tcp_client.py").read_text()


def test_a_copied_recipe_runs(tmp_path: Path) -> None:
    ipckit("recipe", "memory", "--copy", "copied", cwd=tmp_path)
    program = [sys.executable, "copied/memory_pair.py"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "5" in done.stdout


def test_tour_ends_in_a_table() -> None:
    done = ipckit("tour", "memory")
    heading, *rows, counts = done.stdout.splitlines()
    assert heading.split()[:2] == ["mechanism", "library"]
    assert all(row.startswith("memory") and row.endswith("passed") for row in rows)
    assert counts == f"{len(rows)} passed, 0 failed, 0 missing"


# Help


@pytest.mark.usefixtures("uncovered")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_the_help_run(command: str, tmp_path: Path) -> None:
    examples = re.findall(r"^  \$ (.*)$", ipckit(command, "--help").stdout, re.MULTILINE)
    assert examples
    for example in examples:
        run_example(example, tmp_path)


def run_example(line: str, folder: Path) -> None:
    """Run a line as a shell does; what prints `ready` is a server, and is ended by Ctrl-C."""
    with subprocess.Popen(
        ["bash", "-c", line],
        env=environment(PYTHONFAULTHANDLER="1"),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        # One that hangs tells where, by SIGABRT.
        watchdog = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGABRT))
        watchdog.start()
        assert process.stdout is not None
        if process.stdout.readline().startswith("ready "):
            os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=2 * PATIENCE)
        watchdog.cancel()
    assert (process.returncode, stderr) == (0, ""), line


def test_help_names_every_command() -> None:
    shown = ipckit("--help").stdout
    assert all(re.search(rf"^    {command}\s", shown, re.MULTILINE) for command in COMMANDS)


def test_python_m_ipckit_is_the_command() -> None:
    program = [sys.executable, "-m", "ipckit", "--version"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == ipckit("--version").stdout


# Real peers


@pytest.fixture(scope="module")
def warden() -> Iterator[str]:
    """The address of a real supervisord, without its password."""
    with supervisord.running() as address:
        yield address.replace(f":{quote(supervisord.PASSWORD, safe='')}@", "@")


def test_call_reads_the_process_states_of_supervisord(warden: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(supervisord.PASSWORD)
    options = ("--json", "--password-file", f"{tmp_path}/password")
    done = ipckit("call", warden, "supervisor.getAllProcessInfo", *options)
    states = {process["name"]: process["statename"] for process in json.loads(done.stdout)}
    assert states == {"sleeper": "RUNNING", "idler": "STOPPED"}


def test_a_signature_of_supervisord_types_the_arguments(warden: str) -> None:
    asked = ("supervisor.getProcessInfo", "5")
    password = supervisord.PASSWORD
    assert says(ipckit("call", warden, *asked, IPCKIT_PASSWORD=password), 1, "BAD_NAME: 5")


def test_a_misspelt_operation_of_supervisord_gets_advice(warden: str) -> None:
    done = ipckit(
        "call", warden, "supervisor.getProcesInfo", "x", IPCKIT_PASSWORD=supervisord.PASSWORD
    )
    assert says(done, 1, "did you mean 'supervisor.getProcessInfo'")


def test_supervisord_is_described(warden: str) -> None:
    shown = ipckit("describe", warden, IPCKIT_PASSWORD=supervisord.PASSWORD).stdout
    assert "\nsupervisor.getProcessInfo(x1: str) -> dict[str, Any]\n" in shown
    assert "Get info about a process named name" in shown


def test_a_wrong_password_is_status_3(warden: str) -> None:
    assert says(ipckit("call", warden, "system.listMethods", IPCKIT_PASSWORD="x"), 3, "401")


NEOVIM = "pipe:nvim --clean --headless --embed"


def test_call_evaluates_in_neovim() -> None:
    require_program("nvim", "neovim")
    assert ipckit("call", NEOVIM, "nvim_eval", "1 + 1").stdout == "2\n"
    assert ipckit("call", NEOVIM, "nvim_eval", "2").stdout == "2\n"


def test_neovim_is_described() -> None:
    require_program("nvim", "neovim")
    assert "\nnvim_eval(expr: str) -> Any\n" in ipckit("describe", NEOVIM).stdout


def test_a_fault_of_neovim_is_status_1() -> None:
    require_program("nvim", "neovim")
    assert says(ipckit("call", NEOVIM, "nvim_eval", "foo("), 1, "E116")
    assert says(ipckit("call", NEOVIM, "nvim_evl", "1"), 1, "did you mean 'nvim_eval'")
