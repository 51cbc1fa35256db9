"""One run: labs, clients, the document, the fuzzer, the report."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import cli, coverage, document
from .coverage import Heard
from .lab import lab
from .recorder import record
from .report import Report, Row, failures

OLD, NEW = "2026-06", "2026-11"


@dataclass(frozen=True)
class Options:
    """What the run is told on its command line."""

    program: Path
    """`clawberth`"""
    cache: Path
    """Where the clients lie."""
    report: Path


@dataclass(frozen=True)
class Outcome:
    """What one client has to say about its lab."""

    rows: list[Row]
    heard: Heard
    seconds: float


Play = Callable[[str, Path, str, str], list[Row]]
"""Plays a client against an API: home, profile, endpoint, token."""


def main() -> int:
    options = _options()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="conformance-", dir="/var/tmp") as home:
        outcomes = _outcomes(options, Path(home))
    rows = [row for outcome in outcomes for row in outcome.rows]
    heard = [outcome.heard for outcome in outcomes]
    rows += coverage.reached(heard)
    spec = document.find()
    if spec:
        rows += coverage.conforming(heard, spec)
    facts = [f"{o.heard.client} against {o.heard.profile}: {len(o.heard.exchanges)} requests in {o.seconds:.0f} s" for o in outcomes]
    report = Report(rows, facts)
    report.write(options.report)
    for row in failures(rows):
        print(f"{row.client}  {row.operation}  {row.result}")
    print(f"conformance: {report.summary()}; see {options.report} ({time.monotonic() - begun:.0f} s)")
    return 1 if failures(rows) else 0


def _outcomes(options: Options, home: Path) -> list[Outcome]:
    plays = [
        ("hcloud-1.30.3", OLD, lambda *where: cli.play("hcloud-1.30.3", options.cache / "hcloud-cli-1.30/usr/bin/hcloud", *where).rows()),
        ("hcloud-1.39.0", NEW, lambda *where: cli.play("hcloud-1.39.0", options.cache / "hcloud-cli/usr/bin/hcloud", *where).rows()),
    ]
    with ThreadPoolExecutor(len(plays)) as pool:
        running: list[Future[Outcome]] = [pool.submit(_outcome, options, home, *play) for play in plays]
        return [future.result() for future in running]


def _outcome(options: Options, home: Path, client: str, profile: str, play) -> Outcome:
    begun = time.monotonic()
    place = home / client
    place.mkdir()
    with lab(options.program, place / "lab", profile) as api, record(api.endpoint) as recording:
        rows = play(place / "home", profile, recording.endpoint, api.token)
        heard = Heard(client, profile, list(recording.exchanges))
    return Outcome(rows, heard, time.monotonic() - begun)


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("report", type=Path)
    return Options(**vars(parser.parse_args()))
