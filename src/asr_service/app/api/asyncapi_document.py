"""The description of the native protocol as an AsyncAPI 3.0 document, made from the types of its messages."""

from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter

from asr_service import __version__
from asr_service.app.dto.native_examples import CLIENT_EXAMPLES, SERVER_EXAMPLES
from asr_service.app.dto.native_messages import ClientMessageDto, ServerMessage

_REF = "#/components/schemas/{model}"


@cache
def asyncapi_document() -> dict[str, Any]:
    """The document; the same one at every call, which nobody changes."""
    schemas = _schemas()
    said_by_client = [_kind(schemas, kind.__name__) for kind in get_args(ClientMessageDto)]
    said_by_server = [_kind(schemas, kind.__name__) for kind in get_args(ServerMessage)]
    examples = {example["type"]: example for example in (*CLIENT_EXAMPLES, *SERVER_EXAMPLES)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "asr-service, the native protocol",
            "version": __version__,
            "description": "Live speech recognition over a WebSocket: JSON text frames for messages, binary frames for"
            " audio. docs/api/native-protocol.md says what may come when.",
        },
        "defaultContentType": "application/json",
        "channels": {"stream": _channel([*said_by_client, "audio", *said_by_server])},
        "operations": {
            "listen": _operation("receive", "What clients send.", [*said_by_client, "audio"]),
            "tell": _operation("send", "What the server sends.", said_by_server),
        },
        "components": {
            "messages": {
                "audio": _AUDIO,
                **{
                    _kind(schemas, name): _message(name, schemas[name], examples[_kind(schemas, name)])
                    for name in schemas
                    if _is_message(schemas[name])
                },
            },
            "schemas": schemas,
        },
    }


_AUDIO = {
    "name": "audio",
    "summary": "Audio of the declared format, in a binary frame.",
    "contentType": "application/octet-stream",
    "payload": {"type": "string", "format": "binary"},
}


def _schemas() -> dict[str, Any]:
    adapters = [
        (kind.__name__, "validation", TypeAdapter(kind))
        for kind in (*get_args(ClientMessageDto), *get_args(ServerMessage))
    ]
    _, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REF)  # type: ignore[arg-type]
    schemas: dict[str, Any] = {**definitions["$defs"]}
    return schemas


def _is_message(schema: dict[str, Any]) -> bool:
    return "const" in schema.get("properties", {}).get("type", {})


def _kind(schemas: dict[str, Any], name: str) -> str:
    return str(schemas[name]["properties"]["type"]["const"])


def _message(name: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {
        "name": example["type"],
        "summary": schema["description"],
        "payload": {"$ref": _REF.format(model=name)},
        "examples": [{"payload": example}],
    }


def _channel(kinds: list[str]) -> dict[str, Any]:
    return {
        "address": "/api/v1/stream",
        "description": "One session per connection.",
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds},
        "bindings": {"ws": {"method": "GET"}},
    }


def _operation(action: str, summary: str, kinds: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{kind}"} for kind in kinds],
    }
