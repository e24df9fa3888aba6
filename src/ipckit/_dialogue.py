r"""Dialogues: how the operations of a contract are asked of a program that has only a prompt.

    class Bc(Calculator, ipckit.Dialogue):
        command = ["bc", "-q"]
        add = ipckit.ask("{x} + {y}", r"(?P<result>-?\d+)")

The class is the contract of what it asks; what its bases promise besides is left out. It says what
is asked and read, never how the bytes travel: that is the address, `dialogue+pipe:`, `pexpect:`.
"""

from __future__ import annotations

import enum
import functools
import inspect
import math
import string
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from ipckit._annotations import type_name
from ipckit._contract import MARK, hint
from ipckit.errors import ContractError, MarshalError, NotSupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Ask", "Dialogue", "ask"]

MECHANISM: Final = "dialogue"
_PLAIN: Final = frozenset("_.,:@/+-")
_LONGEST: Final = 4300
"""Digits that a number may have: as many as Python writes of an integer."""
_SETTINGS: Final[dict[str, Any]] = {
    "command": list[str],
    "environment": dict[str, str],
    "prompt": str | None,
    "errors": list[str],
    "login": list[tuple[str, str]],
    "denied": str | None,
    "greeting": str | None,
    "sync": tuple[str, str] | None,
    "pager": tuple[str, str] | None,
    "asides": str | None,
    "echo": bool,
    "newline": str,
    "encoding": str,
    "farewell": str | None,
    "settle": float,
    "size": tuple[int, int],
}


@dataclass(frozen=True, slots=True)
class Ask:
    """How one operation is asked, and what of the answer is its result; see `ask`."""

    template: str
    pattern: str | None
    until: str | None
    screen: bool

    @property
    def names(self) -> list[str]:
        """The parameters that the template writes."""
        return [name for name, _, _ in self._fields()]

    @property
    def is_plain(self) -> bool:
        """Whether each argument is written as it is: `written` decides how, no `!r` and no `:d`."""
        return not any(form or conversion for _, form, conversion in self._fields())

    def _fields(self) -> list[tuple[str, str | None, str | None]]:
        return [
            (name, form, conversion)
            for _, name, form, conversion in string.Formatter().parse(self.template)
            if name is not None
        ]


def ask(
    template: str, pattern: str | None = None, *, until: str | None = None, screen: bool = False
) -> Any:
    """Declare how an inherited operation is asked: `{name}` in the line stands for an argument.

    A brace itself is doubled.

    `pattern` is a regular expression (of the `regex` module, multi-line) found in the answer: its
    group `result`, or its only group, or the whole match is the result; several named groups are
    the fields of a dataclass; for a list every match is an item. Without a pattern the whole answer
    is the result.

    Where the dialogue has no prompt, the answer ends with the line in which the pattern, or one of
    `errors`, is found; without a pattern it is one line. `until` is what an answer must hold before
    that line, or a prompt, ends it: for a program that goes on after an error, or after what looks
    like a prompt.

    With `screen` the template is keys, sent without an end of line, and the answer is what a
    terminal shows: once it has moved, keeps still, and shows what `until` or else the pattern says.
    Without keys it need not move.

    The answer to a `@oneway` operation is read, and left, before the next question.
    """
    return Ask(template, pattern, until, screen)


class Dialogue:
    """The base of contracts that are asked at a prompt; its attributes describe the peer.

    Patterns are regular expressions of the `regex` module, multi-line. They run under the
    deadline of the call.
    """

    _ipckit_hidden_: ClassVar[bool] = True
    screen: ClassVar[bool] = False
    """Set where an operation is asked with `screen`: the peer is told that it has a terminal that
    moves its cursor."""
    _ipckit_only_: ClassVar[frozenset[str]] = frozenset()

    command: ClassVar[Sequence[str]] = ()
    """The program and its arguments, where the address names none."""
    environment: ClassVar[Mapping[str, str]] = {}
    """What is added to the program's environment, beside a TERM of `dumb`, or `linux` for a
    screen."""
    prompt: ClassVar[str | None] = None
    """What ends every answer, at the end of all that was printed; None where lines do. An answer
    may hold it: the program should be told to have one that no answer has."""
    errors: ClassVar[Sequence[str]] = ()
    """What in an answer is a Fault: groups `kind` and `message` fill it."""
    login: ClassVar[Sequence[tuple[str, str]]] = ()
    """Steps before the first question: what is waited for, and the line that answers it, in which
    `{user}` and `{password}` are those of the address."""
    denied: ClassVar[str | None] = None
    """What means, before the first question, that the login failed."""
    greeting: ClassVar[str | None] = None
    """What the peer says once it is ready, where that is no prompt."""
    sync: ClassVar[tuple[str, str] | None] = None
    """A question with `{token}`, and the pattern of its answer, which an echo of the question is
    not: asked once before the first, so that nothing a banner holds is taken for a prompt. Without
    it, a prompt counts that is followed by `settle` seconds of silence."""
    pager: ClassVar[tuple[str, str] | None] = None
    """What a pager says between two pages, and the keys that make it go on."""
    asides: ClassVar[str | None] = None
    """What the peer may say unasked, between answers or in them, as whole lines; it is left out."""
    echo: ClassVar[bool] = False
    """True where the peer repeats every line it reads, as readline does on a terminal."""
    newline: ClassVar[str] = "\n"
    """What ends a line that is sent."""
    encoding: ClassVar[str] = "utf-8"
    """The encoding of both directions."""
    farewell: ClassVar[str | None] = None
    """The line that ends the conversation in good order."""
    settle: ClassVar[float] = 0.05
    """Seconds of silence after which a prompt during the login, or a screen, is taken as it is."""
    size: ClassVar[tuple[int, int]] = (24, 4096)
    """Rows and columns of the terminal, whose lines should not be wrapped; of a screen (24, 80)."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _refuse_settings(cls)
        _refuse_misread(cls)
        asked = {name: member for name, member in vars(cls).items() if isinstance(member, Ask)}
        for name, member in asked.items():
            setattr(cls, name, _asked(cls, name, member))
        _choose_screen(cls, asked)
        cls._ipckit_only_ = cls._ipckit_only_ | set(asked)
        hint(MECHANISM, dialogue=cls)(cls)

    @classmethod
    def escape(cls, text: str) -> str:
        """Return a text argument as the peer's language writes it, so that it stays one argument.

        The default refuses all but letters, digits and `_.,:@/+-`, and a `-` in front. Control
        characters never get here. Raises MarshalError.
        """
        if text and not text.startswith("-") and all(c.isalnum() or c in _PLAIN for c in text):
            return text
        raise MarshalError(
            f"{text!r} could mean more than a text to the program; override "
            f"{cls.__name__}.escape with how its language quotes (shlex.quote for a shell)"
        )

    @classmethod
    def written(cls, value: Any) -> str:
        """Return an argument as the peer's language writes it; raises MarshalError.

        By default a number is its digits, without an exponent, which not every program reads:
        0.0000001; a truth value is True or False; a text is what `escape` makes of it. Override it
        for a language that writes them otherwise, such as dc with its _5, or for types that have
        no text of their own.
        """
        if isinstance(value, enum.Enum):
            return cls.written(value.value)
        if isinstance(value, str):
            return cls.escape(value)
        if isinstance(value, float | Decimal):
            return _digits(value)
        try:
            return str(value)
        except ValueError as error:
            raise MarshalError(f"an integer is too long: {error}") from None

    @classmethod
    def question(cls, ask: Ask, arguments: Mapping[str, Any]) -> str:
        """Return the line that asks: the template, with each argument as `written` writes it."""
        return ask.template.format_map({k: cls.written(v) for k, v in arguments.items()})

    @classmethod
    def answer(cls, ask: Ask, text: str) -> str:
        """Return an answer as the pattern will see it; override it to tidy up."""
        return text


def _refuse_settings(cls: type[Dialogue]) -> None:
    """Raise ContractError for an operation that has the name of a setting, and would replace it."""
    for name in vars(Dialogue):
        owner = next(base for base in cls.__mro__ if name in vars(base))
        if name.startswith("_") or owner is Dialogue:
            continue
        if not issubclass(owner, Dialogue) or isinstance(vars(owner)[name], Ask):
            raise ContractError(
                f"{cls.__name__}.{name}: every dialogue has a setting of this name; give the "
                "operation another"
            )


def _refuse_misread(cls: type[Dialogue]) -> None:
    """Raise ContractError for a setting of another type: a text would be taken as its letters."""
    for name, kind in _SETTINGS.items():
        value = getattr(cls, name)
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            raise ContractError(
                f"{cls.__name__}.{name} is to be {type_name(kind)}, which {value!r} is not"
            ) from None


def _choose_screen(cls: type[Dialogue], asked: Mapping[str, Ask]) -> None:
    kinds = {member.screen for member in asked.values()} | ({True} if cls.screen else set())
    if len(kinds) > 1:
        raise ContractError(
            f"{cls.__name__}: what is asked with screen=True and what is asked by lines are "
            "answered in different ways; make them two dialogues"
        )
    cls.screen = True in kinds
    if cls.screen and cls.size is Dialogue.size:
        cls.size = (24, 80)


def _digits(value: float | Decimal) -> str:
    """Return a number without an exponent, and with a dot where it is a float."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise _no_number(value)
        if _length(value) > _LONGEST:
            raise MarshalError(f"{value} has more than {_LONGEST} digits without an exponent")
        return format(value, "f")
    if not math.isfinite(value):
        raise _no_number(value)
    digits = format(Decimal(repr(value)), "f")
    return digits if "." in digits else f"{digits}.0"


def _no_number(value: float | Decimal) -> MarshalError:
    return MarshalError(f"{value} has no text that every program reads as a number")


def _length(value: Decimal) -> int:
    """Return how many digits a number has when it is written without an exponent."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    return max(len(digits), abs(exponent), len(digits) + exponent)


def _asked(cls: type, name: str, asked: Ask) -> Callable[..., Any]:
    """Return a method with the signature of the inherited one, marked with how it is asked."""
    where = f"{cls.__name__}.{name}"
    bases = [vars(base).get(name) for base in cls.__mro__[1:]]
    declared = next(filter(inspect.isfunction, bases), None)
    if declared is None:
        raise ContractError(
            f"{where}: ask() says how an inherited method is asked, and no base of "
            f"{cls.__name__} has a method {name!r}"
        )
    parameters = list(inspect.signature(declared).parameters)[1:]
    try:
        written = asked.names
    except ValueError as error:
        raise ContractError(f"{where}: the template {asked.template!r}: {error}") from None
    if not asked.is_plain:
        raise ContractError(
            f"{where}: the template {asked.template!r} must write each argument as {{name}} alone; "
            f"how it looks is said by {cls.__name__}.written"
        )
    if set(written) != set(parameters):
        wanted = ", ".join(f"{{{parameter}}}" for parameter in parameters) or "nothing"
        raise ContractError(
            f"{where}: the template {asked.template!r} must write {wanted} and no more"
        )

    def refuse(*_: Any, **__: Any) -> Any:
        raise NotSupported(f"{where} is asked of a peer: connect({cls.__name__}, ADDRESS)")

    async def refuse_later(*_: Any, **__: Any) -> Any:
        refuse()

    is_async = inspect.iscoroutinefunction(declared)
    method = functools.wraps(declared)(refuse_later if is_async else refuse)
    # A copy: the inherited method's own marks stay as they are.
    setattr(method, MARK, dict(getattr(declared, MARK, {})))
    return hint(MECHANISM, ask=asked)(method)
