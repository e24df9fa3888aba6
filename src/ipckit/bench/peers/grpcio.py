"""gRPC with protobuf messages, described here rather than by protoc."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import tempfile
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ipckit.bench.workloads import Call, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]

OPTIONS: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_Field: Final = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Final[dict[str, list[tuple[str, Any, bool]]]] = {
    "Pair": [("x", _Field.TYPE_INT64, False), ("y", _Field.TYPE_INT64, False)],
    "Sum": [("value", _Field.TYPE_INT64, False)],
    "Record": [
        ("id", _Field.TYPE_INT64, False),
        ("name", _Field.TYPE_STRING, False),
        ("value", _Field.TYPE_DOUBLE, False),
        ("tags", _Field.TYPE_STRING, True),
    ],
    "Records": [("records", ".bench.Record", True)],
}


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, repeated) in enumerate(fields, 1):
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            is_message = isinstance(kind, str)
            what = {"type_name": kind} if is_message else {"type": kind}
            message.field.add(name=field, number=number, label=label, **what)
    return dict(message_factory.GetMessages([file], descriptor_pool.DescriptorPool()))


_CLASSES: Final = _message_classes()
Pair, Sum = _CLASSES["bench.Pair"], _CLASSES["bench.Sum"]
RecordMessage, Records = _CLASSES["bench.Record"], _CLASSES["bench.Records"]


def _to_message(records: list[Record]) -> Any:
    return Records(
        records=[RecordMessage(id=r.id, name=r.name, value=r.value, tags=r.tags) for r in records]
    )


def _from_message(message: Any) -> list[Record]:
    return [Record(r.id, r.name, r.value, list(r.tags)) for r in message.records]


_TYPES: Final[dict[str, Any]] = {
    "add": (Pair, Sum),
    "echo": (None, None),
    "records": (Records, Records),
    "structs": (Records, Records),
}
_METHODS: Final[dict[str, Any]] = {
    "add": lambda pair, _: Sum(value=pair.x + pair.y),
    "echo": lambda data, _: data,
    "records": lambda message, _: _to_message(_from_message(message)),
    "structs": lambda message, _: message,
}


def serve(transport: str, ready: Ready) -> None:
    """Serve from a thread pool."""
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=_TYPES[name][0] and _TYPES[name][0].FromString,
            response_serializer=_TYPES[name][1] and _TYPES[name][1].SerializeToString,
        )
        for name, method in _METHODS.items()
    }
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=OPTIONS)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Bench", handlers)])
    with tempfile.TemporaryDirectory() as folder:
        path = f"unix:{folder}/s"
        port = server.add_insecure_port(path if transport == "unix" else "127.0.0.1:0")
        server.start()
        ready(path if transport == "unix" else f"127.0.0.1:{port}")
        server.wait_for_termination()


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Open one channel, which threads share."""
    with grpc.insecure_channel(address, options=OPTIONS) as channel:

        def caller(workload: Workload) -> Call:
            request, response = _TYPES[workload.operation]
            operation = channel.unary_unary(
                f"/Bench/{workload.operation}",
                request_serializer=request and request.SerializeToString,
                response_deserializer=response and response.FromString,
            )
            return _call(operation, workload)

        yield caller


def _call(operation: Any, workload: Workload) -> Call:
    argument, *_ = workload.arguments()
    match workload.operation:
        case "add":
            return Call(lambda: operation(Pair(x=2, y=3)).value, 5)
        case "records":
            return Call(lambda: _from_message(operation(_to_message(argument))), argument)
        case "structs":
            message = _to_message(argument)
            return Call(functools.partial(operation, message), message)
        case _:
            return Call(functools.partial(operation, argument), argument)
