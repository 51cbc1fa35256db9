"""The endpoints of the API that the lab plays: each is called by some client, and each answer has its shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .document import Document
from .recorder import Exchange
from .report import OK, Row, failed, skipped
from .templates import Templates

SKIPS = {
    "POST /servers/{id}/actions/attach_iso": "the lab has no ISOs; that one is not found, is checked",
}
LIST = Path(__file__).with_name("endpoints.txt")


@dataclass(frozen=True)
class Heard:
    """What one client and its lab have said."""

    client: str
    profile: str
    exchanges: Sequence[Exchange]


def endpoints() -> list[tuple[str, str]]:
    """All methods and path templates."""
    pairs = (line.split() for line in LIST.read_text().splitlines())
    return [(method, template) for method, template in pairs]


def reached(heard: Sequence[Heard]) -> list[Row]:
    """One row for each endpoint: has a client called it with success?"""
    templates = Templates(template for _, template in endpoints())
    called = {
        (exchange.method, templates.of(exchange.path))
        for side in heard
        for exchange in side.exchanges
        if exchange.status < 300
    }
    return [_reached(endpoint, endpoint in called) for endpoint in endpoints()]


def _reached(endpoint: tuple[str, str], called: bool) -> Row:
    name = " ".join(endpoint)
    if called:
        return Row("endpoints", name, OK)
    if reason := SKIPS.get(name):
        return skipped("endpoints", name, reason)
    return failed("endpoints", name, "no client called it with success")


def conforming(heard: Sequence[Heard], document: Document) -> list[Row]:
    """One row for each kind of answer: does the document agree with all of them?"""
    problems: dict[str, set[str]] = defaultdict(set)
    for side in heard:
        for exchange in side.exchanges:
            problems[document.name(exchange)].update(document.problems(exchange, side.profile))
    return [_conforming(name, sorted(found)) for name, found in sorted(problems.items())]


def _conforming(name: str, problems: list[str]) -> Row:
    return failed("document", name, "; ".join(problems[:3])) if problems else Row("document", name, OK)
