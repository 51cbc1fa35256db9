"""Hetzner's OpenAPI document, where it is at hand: does what was answered have the documented shape?

The document is not ours to ship. It is looked for in `$HCLOUD_SPEC`, then beside the checkout.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema_rs

from .deviations import is_known
from .recorder import Exchange
from .templates import Templates

BESIDE = Path(__file__).parents[3] / "shared" / "spec" / "hcloud-spec-2026-11.json"

Schema = dict[str, Any]


def find() -> Document | None:
    """The document, or nothing where it does not lie."""
    path = Path(os.environ.get("HCLOUD_SPEC") or BESIDE)
    return Document(path, json.loads(path.read_text())) if path.exists() else None


@dataclass(frozen=True)
class Document:
    """The document, with a validator made for each answer that it knows."""

    path: Path
    content: dict[str, Any]

    @cached_property
    def _templates(self) -> Templates:
        return Templates(self.content["paths"])

    @cached_property
    def _validators(self) -> dict[tuple[str, str, str], jsonschema_rs.Draft202012Validator]:
        return {}

    def name(self, exchange: Exchange) -> str:
        """`GET /servers/{id} 200`"""
        return f"{exchange.method} {self._templates.of(exchange.path) or '(no path)'} {exchange.status}"

    def problems(self, exchange: Exchange, profile: str) -> list[str]:
        """What the document says against an answer, but for the deviations that we know."""
        name = self.name(exchange)
        found = self._all_problems(exchange, self._templates.of(exchange.path) or "")
        return [problem for problem in found if not is_known(f"{name} {problem}", profile)]

    def _all_problems(self, exchange: Exchange, template: str) -> Iterator[str]:
        operation = self.content["paths"].get(template, {}).get(exchange.method.lower(), {})
        responses = operation.get("responses", {})
        key = str(exchange.status)
        key = key if key in responses else f"{key[0]}xx"
        if key not in responses:
            yield "is not documented"
            return
        content = responses[key].get("content", {})
        kind = exchange.headers.get("content-type", "").partition(";")[0]
        if kind != next(iter(content), ""):
            yield f"content type {kind or 'none'}"
        if "application/json" in content:
            validator = self._validator(template, exchange.method, key, content["application/json"]["schema"])
            yield from _body_problems(validator, exchange.body)
        elif exchange.body:
            yield "has a body"

    def _validator(self, template: str, method: str, key: str, schema: Schema) -> jsonschema_rs.Draft202012Validator:
        name = (template, method, key)
        if name not in self._validators:
            self._validators[name] = jsonschema_rs.Draft202012Validator(strict(schema), validate_formats=True)
        return self._validators[name]


def _body_problems(validator: jsonschema_rs.Draft202012Validator, body: bytes) -> Iterator[str]:
    try:
        value = json.loads(body)
    except ValueError:
        yield "is no JSON"
        return
    for error in validator.iter_errors(value):
        where = "".join(f"/{'*' if isinstance(step, int) else step}" for step in error.instance_path)
        extra = getattr(error.kind, "unexpected", None)
        if extra:
            yield from (f"{where}/{name} is undocumented" for name in extra)
        else:
            yield f"{where or '/'} {error.message[:200]}"


def strict(schema: Any, closed: bool = True) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema 2020-12, where an object has the documented members and no others."""
    if isinstance(schema, list):
        return [strict(part, closed) for part in schema]
    if not isinstance(schema, dict):
        return schema
    composite = "allOf" in schema or "oneOf" in schema
    made = {key: _translated(key, value) for key, value in schema.items() if key not in _DROPPED}
    if closed and (composite or "properties" in schema) and "additionalProperties" not in schema:
        made["unevaluatedProperties"] = False
    return _nullable(made) if schema.get("nullable") else made


def _nullable(schema: Schema) -> Schema:
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = {"type": [schema["type"], "null"]}
    return {**schema, **kinds, **({"enum": [*schema["enum"], None]} if "enum" in schema else {})}


_DROPPED = {"nullable", "example", "examples", "discriminator", "description", "xml", "externalDocs", "deprecated"}


def _translated(key: str, value: Any) -> Any:
    match key:
        case "properties":
            return {name: strict(part) for name, part in value.items()}
        case "items" | "additionalProperties":
            return strict(value)
        case "allOf" | "oneOf":
            # the whole is closed, not its parts
            return [strict(part, closed=False) for part in value]
        case _:
            return value
