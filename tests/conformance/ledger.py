"""What a client offers, and what became of it: nothing is left out without a reason."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .report import OK, Row, failed, skipped

_HERE = Path(__file__).parent


class Ledger:
    """The operations of one client: each is run, or skipped with a reason, or a failed row."""

    def __init__(self, client: str, offered: Iterable[str], skips: Mapping[str, str]) -> None:
        self.client = client
        self._offered = list(dict.fromkeys(offered))
        self._skips = skips
        self._ran: set[str] = set()
        self._failed: dict[str, str] = {}
        self._last = "(before the first operation)"

    def offers(self, operation: str) -> bool:
        return operation in self._offered

    def begin(self, operation: str) -> None:
        """An operation is about to run: from now on what goes wrong is its."""
        self._last = operation

    def done(self, operation: str) -> None:
        """An operation was run and answered as it should."""
        self._ran.add(operation)

    def play(self, scene: Callable[..., None], *arguments: Any) -> None:
        """Plays a scene. What it raises is written to the operation that ran last, and the scene is over."""
        try:
            scene(*arguments)
        except Exception as error:
            self._failed.setdefault(self._last, f"{_place(error)}: {_words(error)}")

    def rows(self) -> list[Row]:
        strays = [name for name in self._failed if name not in self._offered]
        wrong = [failed(self.client, name, self._failed[name]) for name in strays]
        stale = [name for name in self._skips if name not in self._offered or name in self._ran]
        wrong += [failed(self.client, name, "listed as skipped, but it runs or does not exist") for name in stale]
        return [self._row(name) for name in self._offered] + wrong

    def _row(self, operation: str) -> Row:
        if operation in self._failed:
            return failed(self.client, operation, self._failed[operation])
        if operation in self._ran:
            return Row(self.client, operation, OK)
        if reason := self._skips.get(operation):
            return skipped(self.client, operation, reason)
        return failed(self.client, operation, "not run, and no reason given")


def _words(error: Exception) -> str:
    kind = type(error).__name__
    return str(error) if isinstance(error, AssertionError) and str(error) else f"{kind}: {error}"


def _place(error: Exception) -> str:
    """The line of the scene that was running."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [(path, line) for path, line in frames if _HERE in path.parents and path.stem not in ("ledger", "__init__")]
    return next((f"{path.name}:{line}" for path, line in reversed(ours) if path == ours[0][0]), "?")
