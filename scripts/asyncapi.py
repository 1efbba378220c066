"""Writes the description of the native protocol: ``python -m scripts.asyncapi FOLDER``.

``asyncapi.yaml`` is for programs, ``native-messages.md`` for people; both come from the types of the messages.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from asr_service.app.api.asyncapi_document import asyncapi_document

_WRITTEN = "written by `make docs` from src/asr_service/app/dto/native_messages.py"
_LIMITS = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
}


def document_files() -> dict[str, str]:
    """The content of each file, by its name."""
    document = json.loads(json.dumps(asyncapi_document()))  # plain values, and none of them twice
    written = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return {
        "asyncapi.yaml": f"# {_WRITTEN}\n{written}",
        "native-messages.md": "\n".join(_page(document)) + "\n",
    }


def _page(document: dict[str, Any]) -> Iterator[str]:
    yield "# Messages of the native protocol"
    yield ""
    yield f"<!-- {_WRITTEN} -->"
    yield ""
    yield "Every field of every message. [native-protocol.md](native-protocol.md) says what may come when, and what it is for."
    yield "The same for programs is [asyncapi.yaml](asyncapi.yaml) (AsyncAPI 3.0), which a server gives at `/asyncapi.json`."
    yield "Null means unknown. Clients should pass over fields and types that they do not know: newer servers have more."
    for title, operation in (("From the client", "listen"), ("From the server", "tell")):
        yield ""
        yield f"## {title}"
        for entry in document["operations"][operation]["messages"]:
            yield from _message(document, entry["$ref"].rpartition("/")[2])
    yield ""
    yield "## Objects inside of messages"
    for name, schema in _schemas(document).items():
        if "properties" in schema and "const" not in schema["properties"].get("type", {}):
            yield ""
            yield f"### {name}"
            yield from _fields(document, schema)


def _message(document: dict[str, Any], kind: str) -> Iterator[str]:
    message = document["components"]["messages"][kind]
    yield ""
    yield f"### {kind}"
    if "$ref" not in message["payload"]:
        yield ""
        yield message["summary"]
        return
    yield from _fields(document, _schemas(document)[_name(message["payload"])])
    yield ""
    yield "```json"
    yield json.dumps(message["examples"][0]["payload"], ensure_ascii=False)
    yield "```"


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield schema["description"].replace("``", "`")
    yield ""
    yield "| field | type | meaning |"
    yield "| --- | --- | --- |"
    for field, content in schema["properties"].items():
        notes = [content.get("description", ""), *_limits(content)]
        if field not in schema.get("required", []) and not isinstance(content.get("default"), dict):
            notes.append(f"default: `{json.dumps(content.get('default'))}`")
        yield f"| `{field}` | {_type(document, content)} | {'; '.join(filter(None, notes))} |"


def _limits(content: dict[str, Any]) -> Iterator[str]:
    for part in (content, *content.get("anyOf", ())):
        yield from (_LIMITS[key].format(value) for key, value in part.items() if key in _LIMITS)


def _type(document: dict[str, Any], content: dict[str, Any]) -> str:
    if "anyOf" in content:
        return " or ".join(_type(document, part) for part in content["anyOf"])
    if "$ref" in content:
        name = _name(content)
        schema = _schemas(document)[name]
        return _type(document, schema) if "enum" in schema else f"[{name}](#{name.lower()})"
    if "const" in content:
        return f"`{json.dumps(content['const'])}`"
    if "enum" in content:
        return " ".join(f"`{value}`" for value in content["enum"])
    if content["type"] == "array":
        return f"list of {_type(document, content['items'])}"
    return str(content["type"])


def _schemas(document: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = document["components"]["schemas"]
    return schemas


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"].rpartition("/")[2])


def main() -> None:
    """The command."""
    folder = Path(sys.argv[1])
    for name, content in document_files().items():
        (folder / name).write_text(content, encoding="utf-8")
        print(folder / name)


if __name__ == "__main__":
    main()
