"""The API, asked by hand."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

DEADLINE = 20
"""Seconds for an answer, and for an action."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    """What the JSON says; nothing if there is none."""

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


@dataclass(frozen=True)
class Api:
    """The API as one request after the other."""

    endpoint: str
    token: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Any answer; a body that is no bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        wanted = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        request = urllib.request.Request(
            self.endpoint + path, data, {k: v for k, v in wanted.items() if v}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as response:
                return _answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            return _answer(error.code, error.headers, error.read())

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The body of an answer that must be good."""
        answer = self.call(method, path, body)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body}"
        return answer.body

    def wait(self, action: dict[str, Any]) -> None:
        end = monotonic() + DEADLINE
        while (seen := self.ask("GET", f"/actions/{action['id']}")["action"])["status"] == "running":
            assert monotonic() < end, f"{action['command']} still runs after {DEADLINE} s"
            sleep(0.02)
        assert seen["status"] == "success", seen


def _answer(status: int, headers: Any, text: bytes) -> Answer:
    return Answer(status, {name.lower(): value for name, value in headers.items()}, json.loads(text) if text else None)
