"""Path templates such as `/servers/{id}/actions`, and which of them a path is."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Templates:
    """Templates in the order in which they are tried: a literal segment goes before a parameter."""

    def __init__(self, templates: Iterable[str]) -> None:
        ordered = sorted(set(templates), key=lambda template: re.sub(r"\{[^}]*\}", "~", template))
        self._patterns = [(_pattern(template), template) for template in ordered]

    def of(self, path: str) -> str | None:
        return next((template for regex, template in self._patterns if regex.fullmatch(path)), None)


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]*\})", template)
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts))
