"""The OpenAPI document of the interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ser_study import __version__
from ser_study.live.limits import MIB, Limits

STREAM = (
    "The WebSocket /v1/stream takes sound as it comes: first the JSON text "
    '{"sample_rate": 48000, "channels": 1}, with "format": "int16" where samples are no float32; then binary messages '
    'of little-endian samples, in real time. It answers {"type": "ready", ...}, then a JSON text of type "window" '
    'twice a second for each channel, and {"type": "error", ...} before it closes for a reason. {"end": true} asks for '
    'the last window and {"type": "end", ...}.'
)
NUMBER, TEXT, WHOLE = {"type": "number"}, {"type": "string"}, {"type": "integer"}
NUMBER_OR_NULL = {"type": ["number", "null"]}
REFUSALS = {
    400: "The body is empty or a broken form, or the name of the server is not the expected one.",
    401: "The token is missing or wrong.",
    403: "The request comes from the page of another site.",
    404: "Nothing is at this address.",
    405: "The address takes another method.",
    408: "The file did not come in in time.",
    413: "The file has too many bytes, lasts too long or takes too much memory.",
    415: "The content is no audio that can be decoded, whatever its declared type.",
    422: "The audio is damaged or holds no usable sound, or a parameter is out of range.",
    429: "Too many requests; see Retry-After.",
    503: "The server is busy, or decoding took too long; see Retry-After.",
}


def document(classes: Sequence[str], limits: Limits) -> dict[str, Any]:
    """The document for a recogniser of these classes."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ser_study",
            "version": __version__,
            "description": f"Emotions of acted speech in recordings and streams, for research and teaching. {STREAM}",
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": {
            "/health": {"get": _get("health", "Whether recordings can be answered now.", "Health", [400, 403])},
            "/v1/model": {"get": _get("model", "The card of the recogniser.", "Model", [400, 401, 403])},
            "/v1/predict": {"post": _predict(limits)},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(classes),
            "responses": {f"Refused{status}": _refused(text) for status, text in REFUSALS.items()},
        },
    }


def _predict(limits: Limits) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    every = {"type": "number", "minimum": 0.25, "maximum": 10, "default": 1}
    timeline = {"type": "boolean", "default": True}
    form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
    return {
        "operationId": "predict",
        "summary": "The emotions of a recording.",
        "description": (
            f"A recording of at most {limits.upload / MIB:g} MiB and {limits.duration:g} s, as the field 'file' of a "
            "form or as the body itself. Its content decides what it is; names and declared types are ignored. "
            "Nothing of it is kept."
        ),
        "parameters": [
            _query("every", "Seconds from one window of the timeline to the next.", every),
            _query("timeline", "Whether a recording of up to 15 s gets a timeline, too.", timeline),
        ],
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": binary}},
        },
        "responses": _responses("Prediction", [status for status in REFUSALS if status not in (404, 405)]),
    }


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _get(name: str, summary: str, schema: str, refusals: Sequence[int]) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": _responses(schema, refusals)}


def _responses(schema: str, refusals: Sequence[int]) -> dict[str, Any]:
    good = {"description": "The answer.", "content": _json(schema)}
    return {"200": good} | {str(status): {"$ref": f"#/components/responses/Refused{status}"} for status in refusals}


def _refused(text: str) -> dict[str, Any]:
    return {"description": text, "content": _json("Error")}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _object(properties: dict[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schemas(classes: Sequence[str]) -> dict[str, Any]:
    share = {"type": "number", "minimum": 0, "maximum": 1}
    probabilities = {"oneOf": [_object(dict.fromkeys(classes, share)), {"type": "null"}]}
    emotion = {"type": "string", "enum": [*classes, "unsure", "no speech"]}
    verdict = {"emotion": emotion, "confidence": NUMBER_OR_NULL, "probabilities": probabilities}
    window = {"start": NUMBER, "end": NUMBER, "speech": share, "level": NUMBER, **verdict}
    name = {"type": "string", "enum": ["mono", "left", "right"]}
    channel = {"channel": WHOLE, "name": name, **verdict, "speech": NUMBER, "pitch": NUMBER_OR_NULL}
    channel["gender"] = {"type": "string", "enum": ["female", "male", "unclear"], "description": "A rough guess."}
    texts = {"type": "array", "items": TEXT}
    about = {"name": TEXT, "classes": texts, "threshold": NUMBER_OR_NULL, "intended_use": TEXT, "limits": TEXT}
    things = {"type": "array", "items": {"type": "object"}}
    card = {"title": TEXT, "features": texts, "coverage": things, "corpora": things}
    card |= dict.fromkeys(("scores", "scores_by_corpus", "scores_of_unknown_corpus"), {"type": "object"})
    status = {"type": "string", "enum": ["ok", "starting"]}
    error = _object({"status": WHOLE, "code": TEXT, "message": TEXT})
    return {
        "Health": _object({"status": status, "version": TEXT, "workers": WHOLE, "streams": WHOLE}),
        "Model": _object({**about, **card, "protocol": {"type": ["string", "null"]}}),
        "Window": _object(window),
        "Channel": _object({**channel, "windows": {"type": "array", "items": {"$ref": "#/components/schemas/Window"}}}),
        "Prediction": _object(
            {
                "duration": NUMBER,
                "channels": {"type": "array", "items": {"$ref": "#/components/schemas/Channel"}},
                "warnings": texts,
                "every": NUMBER,
                "model": _object({**about, "uar": {"type": "object"}}),
            }
        ),
        "Error": _object({"error": error}),
    }
