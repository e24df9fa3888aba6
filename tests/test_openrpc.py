"""Contracts as OpenRPC documents and as Python text, and back."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import pytest

import ipckit
from ipckit._contract import contract_of
from ipckit.contracts import files, openrpc, python, targets
from ipckit.errors import ContractError
from ipckit.types import Float32, Int64, UInt8, UInt64

if TYPE_CHECKING:
    from pathlib import Path


class Colour(enum.Enum):
    """What paint has."""

    RED = "r"
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 9


@dataclasses.dataclass
class Node:
    """A node of a tree."""

    value: int
    colour: Colour = Colour.RED
    children: list[Node] = dataclasses.field(default_factory=list)
    next: Node | None = None


@dataclasses.dataclass
class Overdrawn(Exception):
    missing: decimal.Decimal


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag="sq", tag_field="shape", forbid_unknown_fields=True):
    side: float = 1.0


class Disc(msgspec.Struct, tag_field="shape", tag="disc"):
    radius: Float32
    kind: str = msgspec.field(name="class", default="thin")


class Everything:
    r"""All that a contract can say.

    Even "this" and \that.
    """

    changed = ipckit.Signal[float]()
    moved = ipckit.Signal[Node]()

    @property
    def unit(self) -> str:
        """The "unit"."""
        return "mm"

    @unit.setter
    def unit(self, value: str) -> None: ...

    @property
    def serial(self) -> UInt64:
        return 1

    @ipckit.raises(Overdrawn)
    def plain(
        self,
        x: int,
        small: UInt8 = 3,
        big: Int64 = 2**40,
        ratio: Float32 = 2.5,
        octets: bytes = b"\x00x",
        node: Node | None = None,
    ) -> Node:
        """Take many things."""
        raise NotImplementedError

    @ipckit.oneway
    def go(
        self,
        keyed: dict[int, str],
        pair: tuple[int, str],
        names: set[str],
        colour: Colour = Colour.BLUE,
        level: Level = Level.HIGH,
        word: Literal["a", "b"] = "a",
    ) -> None: ...

    @ipckit.hint("tcp", note="it's")
    def shapes(self, shape: Square | Disc, circles: list[Circle], anything: Any) -> Square | Disc:
        raise NotImplementedError

    def count(self, to: Annotated[int, msgspec.Meta(ge=0, lt=10)] = 3) -> Iterator[int]:
        raise NotImplementedError

    def times(
        self,
        moment: datetime.datetime,
        naive: Annotated[datetime.datetime, msgspec.Meta(tz=False)],
        day: datetime.date,
        span: datetime.timedelta,
        few: Annotated[list[str], msgspec.Meta(max_length=3)],
        code: Annotated[str, msgspec.Meta(pattern="^[a-z]+$")],
        price: decimal.Decimal | None = None,
    ) -> dict[str, list[float]]:
        raise NotImplementedError


CONTRACT = contract_of(Everything)
DOCUMENT = openrpc.document(CONTRACT)


def values_in(part: Any) -> Iterator[Any]:
    yield part
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from values_in(inner)


def method(name: str) -> dict[str, Any]:
    return next(m for m in DOCUMENT["methods"] if m["name"] == name)


def test_a_document_is_json_without_null() -> None:
    assert json.loads(json.dumps(DOCUMENT, allow_nan=False)) == DOCUMENT
    assert None not in values_in(DOCUMENT)


def test_a_document_says_name_parameters_result_and_errors() -> None:
    assert method("plain")["params"][:2] == [
        {"name": "x", "required": True, "schema": {"type": "integer"}},
        {
            "name": "small",
            "required": False,
            "schema": {"type": "integer", "format": "uint8", "default": 3},
        },
    ]
    assert method("plain")["result"]["schema"] == {"$ref": "#/components/schemas/Node"}
    assert method("plain")["errors"] == [{"code": 1, "message": "Overdrawn"}]


def test_a_oneway_operation_is_a_notification() -> None:
    assert "result" not in method("go")
    assert method("get_unit")["result"] == {"name": "result", "schema": {"type": "string"}}


def test_a_dataclass_is_a_component() -> None:
    assert DOCUMENT["components"]["schemas"]["Node"]["required"] == ["value"]
    assert DOCUMENT["components"]["schemas"]["Colour"]["enum"] == ["r", "b"]


def test_a_document_gives_the_same_contract_back() -> None:
    assert openrpc.document(openrpc.contract(DOCUMENT)) == DOCUMENT


def test_signatures_survive_a_document() -> None:
    back = openrpc.contract(json.loads(json.dumps(DOCUMENT)))
    assert [str(o) for o in back.operations.values()] == [
        str(o) for o in CONTRACT.operations.values()
    ]


def test_a_contract_from_a_document_makes_typed_values() -> None:
    operation = openrpc.contract(DOCUMENT).operations["plain"]
    arguments: Any = msgspec.convert([1, 2, 3, 0.5, b"", {"value": 7}], operation.arguments)
    assert arguments.p5.value == 7
    assert arguments.p5.children == []
    assert arguments.p5.colour.name == "RED"


def test_a_contract_from_a_document_refuses_what_the_first_refuses() -> None:
    operation = openrpc.contract(DOCUMENT).operations["plain"]
    with pytest.raises(msgspec.ValidationError, match="<= 255"):
        msgspec.convert([1, 256], operation.arguments)


FOREIGN = {
    "openrpc": "1.0.0-rc1",
    "info": {"version": "1.0.0", "title": "Petstore"},
    "methods": [
        {
            "name": "list_pets",
            "summary": "List all pets",
            "tags": [{"name": "pets"}],
            "params": [
                {"name": "max count", "required": False, "schema": {"type": "integer"}},
            ],
            "result": {"$ref": "#/components/contentDescriptors/PetList"},
        },
        {
            "name": "create_pet",
            "params": [
                {"name": "pet", "required": True, "schema": {"$ref": "#/components/schemas/Pet"}}
            ],
            "result": {"name": "id", "schema": {"type": ["integer", "null"]}},
            "errors": [{"code": 100, "message": "pets busy"}],
        },
    ],
    "components": {
        "contentDescriptors": {
            "PetList": {
                "name": "pets",
                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}},
            }
        },
        "schemas": {
            "Pet": {
                "type": "object",
                "required": ["from"],
                "properties": {
                    "from": {"type": "string"},
                    "tag": {"type": "string", "default": ""},
                },
            }
        },
    },
}


def test_a_foreign_document_is_a_contract() -> None:
    operations = openrpc.contract({**FOREIGN, "methods": FOREIGN["methods"][1:]}).operations  # type: ignore[index]
    assert str(operations["create_pet"]) == "create_pet(pet: Pet) -> int | None"
    pet: Any = msgspec.convert([{"from": "here"}], operations["create_pet"].arguments)
    assert (pet.p0.from_, pet.p0.tag) == ("here", "")


def test_references_to_content_descriptors_are_followed() -> None:
    listing = openrpc.contract(FOREIGN).operations["list_pets"]
    assert str(listing) == "list_pets(max_count: int) -> list[Pet]"
    assert listing.doc == "List all pets"


def with_schema(schema: Any) -> dict[str, Any]:
    result = {"name": "result", "schema": schema}
    found = {"openrpc": "1.3.2", "info": {"title": "T", "version": "0"}}
    return {**found, "methods": [{"name": "m", "params": [], "result": result}]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "the document is not as OpenRPC says"),
        ({"openrpc": "1.3.2"}, "missing required field `info`"),
        ({**FOREIGN, "methods": [{"name": 3}]}, r"methods is not .*`\$.name`"),
        ({**FOREIGN, "components": {}}, "'#/components/contentDescriptors/PetList' is not in"),
        (with_schema({"$ref": "#/components/schemas/X"}), "no schema called 'X'"),
        (with_schema({"$ref": "file:///etc/passwd"}), "m: the result: 'file:///etc/passwd' refers"),
        (with_schema({"type": "strnig"}), "'strnig' is no type of JSON Schema"),
        (with_schema({"allOf": [{}]}), "no Python type says what 'allOf' says"),
        (with_schema({"type": "integer", "minimum": "a"}), "m: the result"),
        (with_schema({"enum": [1.5]}), "holds texts and integers"),
        (with_schema(7), "a schema is an object, not 7"),
        (with_schema({"type": {}}), "{} is no type"),
        (with_schema({"anyOf": []}), "a choice among no types"),
        (with_schema({"type": "string", "pattern": "("}), "missing \\)"),
        (with_schema({"enum": [2**70]}), "m: the result: Integer values"),
        (
            with_schema({"anyOf": [{"type": "string"}, {"format": "date", "type": "string"}]}),
            "more",
        ),
        ({**with_schema({}), "methods": []}, "the document has no methods"),
    ],
)
def test_what_is_no_contract_is_refused_by_its_place(document: Any, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        openrpc.contract(document)


def test_endless_nesting_is_refused() -> None:
    schema: Any = {"type": "integer"}
    for _ in range(100_000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(ContractError, match="nests too deeply"):
        openrpc.contract(with_schema(schema))


def test_a_component_that_is_itself_is_refused() -> None:
    document = with_schema({"$ref": "#/components/schemas/A"})
    components = {"schemas": {"A": {"type": "array", "items": {"$ref": "#/components/schemas/A"}}}}
    with pytest.raises(ContractError, match="A: it holds itself"):
        openrpc.contract({**document, "components": components})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contracts")
    (folder / "everything.py").write_text(python.source(CONTRACT))
    (folder / "everything_aio.py").write_text(python.source(CONTRACT, is_async=True))
    (folder / "imported.py").write_text(python.source(openrpc.contract(DOCUMENT)))
    (folder / "pets.py").write_text(python.source(openrpc.contract(FOREIGN)))
    return folder


@pytest.mark.parametrize("name", ["everything", "imported"])
def test_python_text_gives_the_same_contract_back(written: Path, name: str) -> None:
    cls = targets.load(f"{written}/{name}.py:Everything")
    assert openrpc.document(contract_of(cls)) == DOCUMENT


def test_the_async_text_awaits_every_operation(written: Path) -> None:
    contract = contract_of(targets.load(f"{written}/everything_aio.py:Everything"))
    awaited = {o.name for o in contract.operations.values() if o.is_async}
    assert awaited == {"get_unit", "get_serial", "plain", "go", "shapes", "times", "count"}
    assert "async def unit(self) -> str" in (written / "everything_aio.py").read_text()


@pytest.mark.timeout(120)
def test_python_text_is_strictly_typed(written: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", *written.glob("*.py")],
        capture_output=True,
        text=True,
        cwd=written,
        timeout=110,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    "name", ["a.b", "class", "x\nimport os", "_private", "f(self): pass\n    def g"]
)
def test_a_name_that_python_would_not_take_is_refused(name: str) -> None:
    document = with_schema({"type": "integer"})
    document["methods"][0]["name"] = name
    with pytest.raises(ContractError, match="cannot be the name of a member"):
        python.source(openrpc.contract(document))


@pytest.mark.parametrize("text", ['"""\nimport os\n"""', '\\"""', "ends with \\", 'ends with "'])
def test_a_strangers_text_stays_a_text(text: str) -> None:
    document = with_schema({"type": "integer"})
    document["methods"][0]["description"] = text
    made: dict[str, Any] = {"__name__": "made"}
    exec(python.source(openrpc.contract(document)), made)  # noqa: S102  (what it guards against)
    assert "os" not in made
    assert made["T"].m.__doc__.split() == text.split()


def test_a_contract_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ContractError, match=r"x\.json is no OpenRPC document"):
        files.contract_from(f"{tmp_path}/x.json")
    with pytest.raises(ContractError, match="No such file"):
        files.contract_from(f"{tmp_path}/y.json")


@pytest.mark.parametrize("scheme", ["tcp", "xmlrpc"])
def test_a_server_answers_its_document(scheme: str) -> None:
    class Adder:
        def add(self, x: int, y: int = 3) -> int:
            return x + y

    with ipckit.serve(Adder(), f"{scheme}://127.0.0.1:0") as server:
        connection = ipckit.connect(server.address)
        answer = connection.call("rpc.discover")
        connection.close()
    assert answer == openrpc.document(contract_of(Adder))


class Leaf:
    def notify(self, value: int) -> None: ...


class Branch:
    """What refers to itself."""

    grown = ipckit.Signal[int]()

    @property
    def name(self) -> str:
        return ""

    @name.setter
    def name(self, value: str) -> None: ...

    @property
    def parent(self) -> Branch | None: ...

    def branches(self, depth: int = 3) -> list[Branch]:
        return []

    @ipckit.oneway
    def tell(self, leaf: Leaf) -> None: ...


class Tree:
    def root(self) -> Branch:
        return Branch()


def test_objects_that_are_referred_to_are_described_and_made_again() -> None:
    document = openrpc.document(contract_of(Tree))
    assert sorted(document["components"]["x-contracts"]) == ["Branch", "Leaf"]
    again = openrpc.contract(document)
    assert openrpc.document(again) == document
    branch = contract_of(again.operations["root"].result)
    assert str(branch.operations["branches"]) == "branches(depth: int = 3) -> list[Branch]"
    assert branch.operations["tell"].oneway


def test_the_python_text_has_a_class_for_each_object(tmp_path: Path) -> None:
    (tmp_path / "tree.py").write_text(python.source(contract_of(Tree)))
    tree = targets.load(f"{tmp_path}/tree.py:Tree")
    assert openrpc.document(contract_of(tree)) == openrpc.document(contract_of(Tree))


def test_an_object_that_no_document_describes_is_refused() -> None:
    with pytest.raises(ContractError, match="an object of Nobody, whose contract is not in"):
        openrpc.contract(with_schema({"x-contract": "Nobody"}))
