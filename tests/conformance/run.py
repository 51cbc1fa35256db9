"""One run: labs, clients, the document, the report."""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import coverage, document
from .clients import CLIENTS, Client, Tools
from .coverage import Heard
from .lab import lab
from .recorder import record
from .report import Report, Row, failures


@dataclass(frozen=True)
class Outcome:
    """What one client has to say about its lab."""

    rows: list[Row]
    heard: Heard
    seconds: float


def main() -> int:
    options = _options()
    begun = time.monotonic()
    tools = Tools(options.program, options.cache)
    with tempfile.TemporaryDirectory(prefix="conformance-", dir="/var/tmp") as home:
        outcomes = _outcomes([c for c in CLIENTS if not options.only or c.name in options.only], tools, Path(home))
    report = _judge(outcomes)
    report.write(options.report)
    for row in failures(report.rows):
        print(f"{row.client}  {row.operation}  {row.result}")
    print(f"conformance: {report.summary()} in {time.monotonic() - begun:.0f} s; see {options.report}")
    return 1 if failures(report.rows) else 0


def _outcomes(clients: list[Client], tools: Tools, home: Path) -> list[Outcome]:
    """Each client in a process of its own, with a lab of its own."""
    with ProcessPoolExecutor(len(clients), multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(_outcome, client, tools, home / client.name) for client in clients]
        return [future.result() for future in running]


def _outcome(client: Client, tools: Tools, home: Path) -> Outcome:
    begun = time.monotonic()
    home.mkdir()
    with lab(tools.program, home / "lab", client.profile) as api, record(api.endpoint) as recording:
        rows = client.play(client, tools, home / "home", recording.endpoint, api.token)
        heard = Heard(client.name, client.profile, recording.exchanges)
    return Outcome(rows, heard, time.monotonic() - begun)


def _judge(outcomes: list[Outcome]) -> Report:
    heard = [outcome.heard for outcome in outcomes]
    rows = [row for outcome in outcomes for row in outcome.rows] + coverage.reached(heard)
    facts = [f"{o.heard.client}: {len(o.heard.exchanges)} requests, {o.seconds:.0f} s" for o in outcomes]
    spec = document.find()
    if spec:
        rows += coverage.conforming(heard, spec)
        facts.append(f"every answer was held against {spec.path.name}")
    else:
        facts.append("no answer was held against the OpenAPI document: it does not lie beside the checkout")
        print(f"conformance: {facts[-1]}; set HCLOUD_SPEC to its path")
    return Report(rows, facts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description="run strangers' clients against the lab")
    parser.add_argument("program", type=Path, help="clawberth")
    parser.add_argument("cache", type=Path, help="where the clients lie")
    parser.add_argument("report", type=Path)
    parser.add_argument("--only", action="append", help="this client alone; may be repeated")
    return parser.parse_args()
