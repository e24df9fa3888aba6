"""The types of a contract as C has them: what ctypes calls them, and how values go in and out.

    bool                        bool
    Int8 ... UInt64             int8_t ... uint64_t
    int                         long long
    float, Float64; Float32     double; float
    Enum of integers            int
    str, bytes                  const char *, ending at its NUL
    Pointer[bytes]              const void *, NULs and all
    Handle                      void *, a number to Python
    dataclass, Struct           struct, by value
    Pointer[T]                  T *: of a number or a struct, copied
    list[T]                     const T *, in parameters only
    Annotated[T, array(n)]      an array of n, of a list, str or bytes; alone, a pointer to it
    T | None                    NULL, where T is a pointer
    Callable[[T, ...], R]       a function pointer, in parameters only

Nothing is truncated as ctypes would: a number outside its width is refused.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast, get_args

import msgspec
from msgspec import inspect as shapes

from ipckit._annotations import NATIVE
from ipckit._cnumbers import HANDLE, LONG_LONG, SIMPLE, WIDTHS, CType
from ipckit.errors import MarshalError, NotSupported, ProtocolError
from ipckit.types import IN_C

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Layout", "has_length", "is_endless", "make", "plain", "read"]


def plain(value: Any) -> Any:
    """Return a value as dicts, lists, numbers, text and bytes; raises MarshalError."""
    try:
        return msgspec.to_builtins(value, builtin_types=NATIVE)
    except (TypeError, ValueError, RecursionError) as error:
        raise MarshalError(str(error)) from None


def make(kind: CType, value: Any) -> Any:
    """Return a C object that holds a plain value, and that C may change."""
    encoded = kind.encode(value)
    return encoded if isinstance(encoded, kind.ctype) else kind.ctype(encoded)


def read(kind: CType, box: Any) -> Any:
    """Return the plain value that a C object holds."""
    assert kind.decode is not None
    return kind.decode(box.value if isinstance(box, ctypes._SimpleCData) else box)


def has_length(annotation: Any) -> bool:
    """Say whether C can be told how long values of a type are."""
    node = _bare(shapes.type_info(annotation))
    return isinstance(node, shapes.ListType | shapes.StrType | shapes.BytesType)


def is_endless(annotation: Any) -> bool:
    """Say whether a type is a list of which C must be told the length."""
    node = shapes.type_info(annotation)
    parts = node.types if isinstance(node, shapes.UnionType) else (node,)
    return any(isinstance(part, shapes.ListType) for part in parts)


class Layout:
    """Finds the CType of each type, with text in one encoding."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._encoding = encoding
        self._structs: dict[Any, CType] = {}
        self._pointers: dict[Any, Any] = {}
        self._unfinished: set[Any] = set()

    def passed(self, annotation: Any, *, counted: bool = False) -> CType:
        """Return what a parameter or result is; raises NotSupported.

        Of what is `counted`, C is told the length, so that it may hold a NUL.
        """
        kind = self._kind(_described(annotation), counted=counted)
        return self._pointer_to(kind) if kind.is_array else kind

    def stored(self, annotation: Any) -> CType:
        """Return what C is given the place of, to write a result there; raises NotSupported."""
        return self._kind(_described(annotation))

    def buffer(self, annotation: Any, size: int) -> CType:
        """Return room for so many elements or characters; raises NotSupported."""
        return self._array(_bare(_described(annotation)), size)

    def changed(self, annotation: Any) -> CType:
        """Return what goes to C, is changed there and comes back; raises NotSupported."""
        node = _bare(_described(annotation))
        kind = self._kind(_described(annotation), counted=True)
        if isinstance(node, shapes.StrType | shapes.BytesType) and not kind.is_array:
            return self._changed_text(node)
        if isinstance(node, shapes.ListType) and not kind.is_array:
            return _changed_list(kind)
        if isinstance(node, shapes.UnionType) or kind.decode is None:
            raise NotSupported("cannot bring back what may be NULL")
        return CType(
            ctype=kind.ctype,
            encode=lambda value: make(kind, value),
            decode=lambda box: read(kind, box),
            is_compound=kind.is_compound,
            item=kind.item,
        )

    def _changed_text(self, node: shapes.Type) -> CType:
        is_text = isinstance(node, shapes.StrType)
        # Text comes back up to its NUL, so that it goes in like that too.
        encode, decode = self._text(node, counted=not is_text).encode, self._codec(node)[1]
        return CType(
            ctype=ctypes.c_char_p,
            encode=lambda value: ctypes.create_string_buffer(encode(value)),
            decode=lambda box: decode(box.value if is_text else box.raw[:-1]),
        )

    def _kind(self, node: shapes.Type, *, counted: bool = False) -> CType:
        """Return what lies in memory for a type: a field of a struct, say."""
        if isinstance(node, shapes.Metadata):
            return self._marked(node, counted)
        if isinstance(node, shapes.IntType):
            return LONG_LONG
        if type(node) in SIMPLE:
            return SIMPLE[type(node)]
        if isinstance(node, shapes.StrType | shapes.BytesType):
            return self._text(node, counted)
        if isinstance(node, shapes.ListType):
            item = self._kind(node.item_type)
            return _list_of(item, self._pointer_type(item.ctype))
        if isinstance(node, shapes.DataclassType | shapes.StructType):
            return self._struct(node)
        if isinstance(node, shapes.EnumType | shapes.LiteralType):
            return self._enum(node, counted)
        if isinstance(node, shapes.UnionType):
            return self._nullable(node, counted)
        raise NotSupported(f"has no type in C for {_name(node)}; use numbers, text, dataclasses")

    def _marked(self, node: shapes.Metadata, counted: bool) -> CType:
        mark = (node.extra or {}).get(IN_C)
        width = (node.extra_json_schema or {}).get("format")
        if mark == "pointer":
            return self._pointer(node)
        if mark == "handle":
            return HANDLE
        if isinstance(mark, int):
            try:
                return self._array(_bare(node), mark)
            except OverflowError:
                raise NotSupported(f"has no array of {mark} elements") from None
        if width in WIDTHS:
            return WIDTHS[cast("str", width)]
        return self._kind(node.type, counted=counted)

    def _pointer(self, node: shapes.Metadata) -> CType:
        inner = node.type
        if isinstance(inner, shapes.BytesType):
            return CType(ctype=ctypes.c_char_p, encode=_checked_bytes, decode=None, is_pointer=True)
        kind = self._kind(shapes.Metadata(inner, node.extra_json_schema, None))
        if kind.is_pointer:
            raise NotSupported("has pointers to numbers, structs and bytes only")
        return self._pointer_to(kind)

    def _pointer_to(self, kind: CType) -> CType:
        pointer_type = self._pointer_type(kind.ctype)

        def decode(pointer: Any) -> Any:
            return read(kind, pointer.contents) if pointer else None

        return CType(
            ctype=pointer_type,
            encode=lambda value: pointer_type(make(kind, value)),
            decode=decode,
            is_pointer=True,
            is_compound=True,
            item=kind.item or kind,
        )

    def _pointer_type(self, ctype: Any) -> Any:
        # ctypes.POINTER would keep it, and all structs of every connection with it.
        if ctype not in self._pointers:
            made = type(f"{ctype.__name__}_pointer", (ctypes._Pointer,), {"_type_": ctype})
            self._pointers[ctype] = made
        return self._pointers[ctype]

    def _text(self, node: shapes.Type, counted: bool) -> CType:
        encode, decode = self._codec(node)

        def ended(value: Any) -> bytes:
            data = encode(value)
            if b"\0" in data:
                raise MarshalError("it holds a NUL, at which C takes it to end")
            return data

        return CType(
            ctype=ctypes.c_char_p,
            encode=encode if counted else ended,
            decode=lambda data: None if data is None else decode(data),
            is_pointer=True,
        )

    def _codec(self, node: shapes.Type) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        if isinstance(node, shapes.BytesType):
            return _checked_bytes, bytes
        encoding = self._encoding

        def encode(value: Any) -> bytes:
            try:
                return str.encode(value, encoding)
            except (TypeError, UnicodeError) as error:
                raise MarshalError(str(error)) from None

        def decode(data: bytes) -> str:
            try:
                return data.decode(encoding)
            except UnicodeError as error:
                raise ProtocolError(
                    f"the text is no {encoding}: {error}", executed="maybe"
                ) from None

        return encode, decode

    def _array(self, node: shapes.Type, size: int) -> CType:
        if isinstance(node, shapes.StrType | shapes.BytesType):
            encode, decode = self._codec(node)
            return _characters(size, encode, decode, is_text=isinstance(node, shapes.StrType))
        if isinstance(node, shapes.ListType):
            return _array_of(self._kind(node.item_type), size)
        raise NotSupported("has arrays of list, str and bytes only")

    def _enum(self, node: shapes.EnumType | shapes.LiteralType, counted: bool) -> CType:
        values = (
            node.values if isinstance(node, shapes.LiteralType) else [m.value for m in node.cls]
        )
        types = {type(value) for value in values}
        if types == {str}:
            return replace(self._text(shapes.StrType(), counted), is_compound=True)
        if types != {int}:
            raise NotSupported("has enums of integers or of text only")
        inner = WIDTHS["int32"]
        return CType(ctype=inner.ctype, encode=inner.encode, decode=inner.decode, is_compound=True)

    def _nullable(self, node: shapes.UnionType, counted: bool) -> CType:
        types = [part for part in node.types if not isinstance(part, shapes.NoneType)]
        if len(types) > 1:
            raise NotSupported("has no unions but T | None")
        kind = self._kind(types[0], counted=counted)
        if not kind.is_pointer:
            raise NotSupported(f"has None for pointers only, as NULL: {_name(types[0])} is none")
        encode = kind.encode
        return CType(
            ctype=kind.ctype,
            encode=lambda value: None if value is None else encode(value),
            decode=kind.decode,
            is_pointer=True,
            is_compound=kind.is_compound,
            item=kind.item,
        )

    def _struct(self, node: shapes.DataclassType | shapes.StructType) -> CType:
        known = self._structs.get(node.cls)
        if known is not None:
            return known
        settings = getattr(node.cls, "__struct_config__", None)
        if not node.fields or (settings and (settings.array_like or settings.omit_defaults)):
            raise NotSupported(
                f"has no struct like {_name(node)}, without fields, array_like or omit_defaults"
            )
        structure: Any = type(_name(node), (ctypes.Structure,), {})
        fields: list[tuple[str, CType]] = []
        # Known before its fields are, since they may point to it.
        kind = self._structs[node.cls] = _struct_of(structure, fields)
        self._unfinished.add(structure)
        try:
            fields += [(field.encode_name, self._field(node, field)) for field in node.fields]
            structure._fields_ = [(name, inner.ctype) for name, inner in fields]
        except NotSupported:
            del self._structs[node.cls]
            raise
        finally:
            self._unfinished.remove(structure)
        return kind

    def _field(self, node: shapes.DataclassType | shapes.StructType, field: shapes.Field) -> CType:
        kind = self._kind(field.type)
        if kind.decode is None:
            raise NotSupported(
                f"cannot tell how long {_name(node)}.{field.name} is: "
                "annotate Annotated[..., array(n)], or use a Handle"
            )
        inside = kind.ctype
        while hasattr(inside, "_length_"):
            inside = inside._type_
        if inside in self._unfinished:
            raise NotSupported(f"holds no {inside.__name__} inside itself; make it Pointer | None")
        return kind


def _checked_bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        raise MarshalError(f"expected `bytes`, got `{type(value).__name__}`")
    return value


def _list_of(item: CType, pointer_type: Any) -> CType:
    def encode(values: Any) -> Any:
        return (item.ctype * len(values))(*_encoded(item, values))

    return CType(
        ctype=pointer_type,
        encode=encode,
        decode=None,
        is_pointer=True,
        is_compound=True,
        item=item,
    )


def _changed_list(kind: CType) -> CType:
    item = kind.item
    assert item is not None
    return CType(
        ctype=kind.ctype,
        encode=kind.encode,
        decode=lambda array: [read(item, element) for element in array],
        is_compound=True,
        item=item,
    )


def _array_of(item: CType, size: int) -> CType:
    if item.decode is None:
        raise NotSupported("cannot tell how long the lists in an array are")
    ctype, decode = item.ctype * size, item.decode

    def encode(values: Any) -> Any:
        if len(values) != size:
            raise MarshalError(f"the array has {size} elements, not {len(values)}")
        return ctype(*_encoded(item, values))

    return CType(
        ctype=ctype,
        encode=encode,
        decode=lambda array: [decode(element) for element in array],
        is_array=True,
        is_compound=True,
        item=item,
    )


def _characters(
    size: int, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], *, is_text: bool
) -> CType:
    """Return `char[size]`: text up to a NUL for which there must be room, or bytes, all of them."""
    # Of a c_char array in a struct, ctypes would hand out no more than stands before a NUL.
    ctype = ctypes.c_ubyte * size

    def fill(value: Any) -> Any:
        data = encode(value)
        if is_text and (len(data) >= size or b"\0" in data):
            raise MarshalError(f"{len(data)} octets, with no NUL, do not fit char[{size}]")
        if not is_text and len(data) != size:
            raise MarshalError(f"the array has {size} octets, not {len(data)}")
        return ctype.from_buffer_copy(data.ljust(size, b"\0"))

    def text(box: Any) -> Any:
        data = bytes(box)
        return decode(data.partition(b"\0")[0] if is_text else data)

    return CType(ctype=ctype, encode=fill, decode=text, is_array=True)


def _struct_of(structure: Any, fields: list[tuple[str, CType]]) -> CType:
    """Return the CType of a Structure whose fields may still be found."""

    def encode(values: Any) -> Any:
        box = structure()
        for name, kind in fields:
            try:
                setattr(box, name, kind.encode(values[name]))
            except KeyError:
                raise MarshalError(f"{name}: the field has no value") from None
            except MarshalError as error:
                raise MarshalError(f"{name}: {error}") from None
        return box

    def decode(box: Any) -> Any:
        return {
            name: cast("Callable[[Any], Any]", kind.decode)(getattr(box, name))
            for name, kind in fields
        }

    return CType(ctype=structure, encode=encode, decode=decode, is_compound=True)


def _encoded(item: CType, values: Any) -> list[Any]:
    encoded = []
    for index, value in enumerate(values):
        try:
            encoded.append(item.encode(value))
        except MarshalError as error:
            raise MarshalError(f"[{index}]: {error}") from None
    return encoded


def _described(annotation: Any) -> shapes.Type:
    if _is_marked_twice(annotation):
        raise NotSupported("has no pointer to a pointer, nor an array of arrays; use a Handle")
    return shapes.type_info(annotation)


def _is_marked_twice(annotation: Any) -> bool:
    """Say whether a type has two marks of a kind, of which msgspec sees one."""
    extras = [
        getattr(mark, "extra", None) or {} for mark in getattr(annotation, "__metadata__", ())
    ]
    kinds = [type(extra[IN_C]) for extra in extras if extra.get(IN_C, "handle") != "handle"]
    return len(kinds) > len({*kinds}) or any(map(_is_marked_twice, get_args(annotation)))


def _bare(node: shapes.Type) -> shapes.Type:
    return _bare(node.type) if isinstance(node, shapes.Metadata) else node


def _name(node: shapes.Type) -> str:
    node = _bare(node)
    named = getattr(node, "cls", None)
    return named.__name__ if named is not None else type(node).__name__.removesuffix("Type").lower()
