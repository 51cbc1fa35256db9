"""The report: one row for each client and operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

OK = "ok"


@dataclass(frozen=True)
class Row:
    """What became of one operation of one client."""

    client: str
    operation: str
    result: str
    """`ok`, `failed: why` or `skipped: reason`."""

    @property
    def verdict(self) -> str:
        return self.result.partition(":")[0]


def failed(client: str, operation: str, why: str) -> Row:
    return Row(client, operation, f"failed: {' '.join(why.split())[:400]}")


def skipped(client: str, operation: str, reason: str) -> Row:
    return Row(client, operation, f"skipped: {reason}")


@dataclass(frozen=True)
class Report:
    """All rows, and what was run."""

    rows: list[Row]
    facts: list[str]

    def counts(self) -> Counter[str]:
        return Counter(row.verdict for row in self.rows)

    def summary(self) -> str:
        counts = self.counts()
        return ", ".join(f"{counts[verdict]} {verdict}" for verdict in (OK, "failed", "skipped"))

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        head = ["# Conformance of the lab", "", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {self.summary()}.", ""]
        facts = [f"- {fact}" for fact in self.facts]
        table = ["", "| client | operation | result |", "|---|---|---|"]
        path.write_text("\n".join(head + facts + table + [_line(row) for row in self.rows]) + "\n")


def _line(row: Row) -> str:
    cells = (cell.replace("|", "\\|") for cell in (row.client, row.operation, row.result))
    return f"| {' | '.join(cells)} |"


def failures(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.verdict == "failed"]
