"""One run: labs, clients, the fuzzer, the report."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import coverage, document, fuzz
from .clients import CLIENTS, Client
from .coverage import Heard
from .document import Document
from .lab import lab
from .profile import NEW
from .recorder import record
from .report import Report, Row, failed, failures
from .stage import Stage, Tools
from .versions import versions

ALL = [client.name for client in CLIENTS] + [fuzz.NAME]


@dataclass(frozen=True)
class Outcome:
    """What one client has to say about its lab."""

    rows: list[Row]
    heard: Heard
    seconds: float


def main() -> int:
    options = _options()
    begun = time.monotonic()
    tools = Tools(options.program, options.cache, options.collections)
    spec = document.find()
    with tempfile.TemporaryDirectory(prefix="conformance-") as home:
        report = _run(options.only or ALL, tools, Path(home), spec)
    report.write(options.report)
    for row in failures(report.rows):
        print(f"{row.client}  {row.operation}  {row.result}", file=sys.stderr)
    print(f"conformance: {report.summary()} in {time.monotonic() - begun:.0f} s; see {options.report}")
    return 1 if failures(report.rows) else 0


def _run(names: list[str], tools: Tools, home: Path, spec: Document | None) -> Report:
    """Each client in a process of its own, with a lab of its own; the fuzzer beside them."""
    clients = [client for client in CLIENTS if client.name in names]
    with ProcessPoolExecutor(len(ALL), multiprocessing.get_context("spawn")) as pool:
        fuzzing = pool.submit(_fuzz, spec, tools, home / fuzz.NAME) if spec and fuzz.NAME in names else None
        running = [pool.submit(_outcome, client, tools, home / client.name) for client in clients]
        outcomes = [future.result() for future in running]
        fuzzed = fuzzing.result() if fuzzing else []
    return _judge(outcomes, fuzzed, spec, versions(tools))


def _outcome(client: Client, tools: Tools, home: Path) -> Outcome:
    begun = time.monotonic()
    home.mkdir()
    with lab(tools.program, home / "lab", client.profile) as api, record(api.endpoint) as recording:
        stage = Stage(client.name, client.profile, tools, home / "home", recording.endpoint, api.token)
        try:
            rows = client.play(stage)
        except Exception:
            rows = [failed(client.name, "(the whole client)", traceback.format_exc(limit=-1))]
        heard = Heard(client.name, client.profile, recording.exchanges)
    return Outcome(rows, heard, time.monotonic() - begun)


def _fuzz(spec: Document, tools: Tools, home: Path) -> list[Row]:
    home.mkdir()
    with lab(tools.program, home / "lab", NEW) as api:
        try:
            return fuzz.play(Stage(fuzz.NAME, NEW, tools, home / "home", api.endpoint, api.token), spec)
        except Exception:
            return [failed(fuzz.NAME, "(the whole client)", traceback.format_exc(limit=-1))]


def _judge(outcomes: list[Outcome], fuzzed: list[Row], spec: Document | None, facts: list[str]) -> Report:
    heard = [outcome.heard for outcome in outcomes]
    rows = [row for outcome in outcomes for row in outcome.rows]
    if len(outcomes) == len(CLIENTS):
        rows += coverage.reached(heard)
    facts = facts + [f"{o.heard.client}: {len(o.heard.exchanges)} requests, {o.seconds:.0f} s" for o in outcomes]
    if spec:
        rows += coverage.conforming(heard, spec) + fuzzed
        facts.append(f"every answer was held against {spec.path.name}")
    else:
        facts.append("neither the shapes of answers were checked nor the fuzzer run: the OpenAPI document is not there")
        print(f"conformance: {facts[-1]}; set HCLOUD_SPEC to its path")
    return Report(rows, facts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description="run strangers' clients against the lab")
    parser.add_argument("program", type=Path, help="clawberth")
    parser.add_argument("cache", type=Path, help="where the hcloud clients lie")
    parser.add_argument("collections", type=Path, help="where Ansible's collections lie")
    parser.add_argument("report", type=Path)
    parser.add_argument("--only", action="append", choices=ALL, help="this client alone; may be repeated")
    return parser.parse_args()
