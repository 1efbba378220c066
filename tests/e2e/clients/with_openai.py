"""Makes calls with the package openai; prints what its user gets, as JSON. Arguments: base URL, calls as JSON."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import openai

url, calls = sys.argv[1], json.loads(sys.argv[2])
client = openai.OpenAI(base_url=url, api_key="a key", max_retries=0)
METHODS = {
    "transcribe": client.audio.transcriptions.with_raw_response.create,
    "translate": client.audio.translations.with_raw_response.create,
    "models": client.models.with_raw_response.list,
    "model": client.models.with_raw_response.retrieve,
}


def plain(value: Any) -> Any:
    if isinstance(value, openai.Stream):
        return [plain(event) for event in value]
    return value if isinstance(value, str) else value.model_dump(exclude_unset=True)


def outcome(method: str, file: str | None = None, nameless: bool = False, **arguments: Any) -> dict[str, Any]:
    if file is not None:
        path = Path(file)
        arguments["file"] = io.BytesIO(path.read_bytes()) if nameless else path
    try:
        answer = METHODS[method](**arguments)
        content_type, request_id = answer.headers["content-type"], answer.headers["x-request-id"]
        return {"content_type": content_type, "request_id": request_id, "value": plain(answer.parse())}
    except openai.APIStatusError as error:
        named = {name: getattr(error, name) for name in ("code", "type", "param", "request_id")}
        return {"error": {"kind": type(error).__name__, "status": error.status_code, "body": error.body, **named}}


print(json.dumps([outcome(**call) for call in calls]))
