#!/usr/bin/python3
"""Measures the state at 10,000 instances, in SQLite and in PostgreSQL, beside what such a commit costs a program that does
nothing else, and beside a state that is one JSON file; and what `reconcile` asks of 1,000 instances.

A durable transition is one commit: a step's outcome with the stage that the instance has then. The step's intent is another.

Usage: benches/state.py PROGRAM BENCH [--only WORD] [--transitions N]

PROGRAM is clawberth, BENCH the built benches/state.rs. A time of a durable commit is one of this disk: look at the
ratio to the peer of the same round. Prints a table, leaves it in target/bench-state.md, and exits with 1 where a limit
does not hold.
"""

import argparse
import collections
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bed import Report, deploy, lab, lab_cpu, requests, run_bench, run_measured, spread

INSTANCES = 10_000
HOSTS = 1_000
ROUNDS = 3
HERE = Path(__file__).resolve().parent
# What the lab itself takes for lists and hosts is measured by benches/lab_api.py.
RECONCILE_SECONDS = 2.0


@dataclass
class Place:
    """Where a state lies, and how it is named to the program: a password is no argument."""

    name: str
    url: str

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*words], check=True, capture_output=True, text=True, env=self.environment())

    def environment(self) -> dict[str, str]:
        return {**os.environ, "CLAWBERTH_STATE": self.url, "HCLOUD_TOKEN": "none"}


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


@contextmanager
def postgres(temp: Path) -> Iterator[str]:
    """A server of its own, with what PostgreSQL has as its defaults; the URL of a new database."""
    script, port = HERE.parent / "scripts" / "postgres", 21_000 + os.getpid() % 2_000
    subprocess.run([script, "start", temp / "pg", str(port)], check=True)
    try:
        superuser = ["psql", "-qX", "-h", temp / "pg", "-p", str(port), "-U", "postgres", "postgres", "-c"]
        for name in ["state", "peer"]:
            subprocess.run([*superuser, f"CREATE DATABASE {name} OWNER clawberth"], check=True)
        # the tests' servers do without
        subprocess.run([*superuser, "ALTER SYSTEM SET fsync = on"], check=True)
        subprocess.run([*superuser, "SELECT pg_reload_conf()"], check=True, stdout=subprocess.DEVNULL)
        yield re.sub("/postgres$", "/state", (temp / "pg" / "url").read_text().strip())
    finally:
        subprocess.run([script, "stop", temp / "pg"], check=True)


# The peers: one commit for each transition, of two rows, as ours has.

ROW = "x" * 700


def timed(count: int, work: Callable[[int], None]) -> list[float]:
    times = []
    for number in range(count):
        begun = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - begun) * 1000)
    return times


def sqlite_peer(path: Path, count: int) -> list[float]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, text TEXT)")
    connection.execute("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, text TEXT)")
    if connection.execute("SELECT count(*) FROM row").fetchone()[0] == 0:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO row VALUES (?, ?)", ((n, ROW) for n in range(INSTANCES)))
        connection.execute("COMMIT")

    def work(number: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO log (text) VALUES (?)", (ROW[:100],))
        connection.execute("UPDATE row SET text = ? WHERE id = ?", (ROW, number * 7_919 % INSTANCES))
        connection.execute("COMMIT")

    times = timed(count, work)
    connection.close()
    return times


def postgres_peer(url: str, count: int) -> list[float]:
    import psycopg2

    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, text TEXT)")
    cursor.execute("CREATE TABLE IF NOT EXISTS log (id SERIAL PRIMARY KEY, text TEXT)")
    cursor.execute("INSERT INTO row SELECT n, %s FROM generate_series(0, %s) n ON CONFLICT DO NOTHING", (ROW, INSTANCES))
    connection.commit()

    def work(number: int) -> None:
        cursor.execute("INSERT INTO log (text) VALUES (%s)", (ROW[:100],))
        cursor.execute("UPDATE row SET text = %s WHERE id = %s", (ROW, number * 7_919 % INSTANCES))
        connection.commit()

    times = timed(count, work)
    connection.close()
    return times


def json_peer(path: Path, count: int) -> list[float]:
    """One file with everything, written anew beside itself for each step, as tools do that have such a state."""
    state = {f"user-{number:05}": {"stage": "serving", "text": ROW} for number in range(INSTANCES)}

    def work(number: int) -> None:
        state[f"user-{number * 7_919 % INSTANCES:05}"]["stage"] = str(number)
        half = path.with_suffix(".half")
        with half.open("w") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        half.rename(path)

    return timed(count, work)


def measure_transitions(bench: str, place: Place, count: int, peers: dict[str, Callable[[], list[float]]], report: Report) -> None:
    own: dict[str, list[float]] = collections.defaultdict(list)
    intents: dict[str, list[float]] = collections.defaultdict(list)
    others: dict[str, list[float]] = collections.defaultdict(list)
    for _ in range(ROUNDS):
        lines = place.run([bench, "transitions", place.url, str(count)]).stdout.split()
        times = [int(line) / 1000 for line in lines]
        for name, part in [("p50", 0.5), ("p99", 0.99)]:
            intents[name].append(percentile(times[::2], part))
            own[name].append(percentile(times[1::2], part))
        for peer, work in peers.items():
            times = work()
            for name, part in [("p50", 0.5), ("p99", 0.99)]:
                others[f"{peer} {name}"].append(percentile(times, part))
    for name, limit in [("p50", 1.0), ("p99", 10.0)]:
        beside = "; ".join(f"{peer} {spread(others[f'{peer} {name}'])}" for peer in peers)
        holds = statistics.median(own[name]) <= limit
        what = f"{place.name}: a durable transition, {name}, ms"
        report.add(what, spread(own[name]), beside, f"<= {limit:.0f}", holds, runs=ROUNDS)
        report.add(f"{place.name}: the intent before it, {name}, ms", spread(intents[name]), "–", runs=ROUNDS)


def measure_open(bench: str, place: Place, report: Report) -> None:
    rounds = []
    for _ in range(ROUNDS):
        lines = place.run([bench, "open", place.url, "20"]).stdout.split()
        rounds.append(statistics.median(int(line) / 1000 for line in lines))
    report.add(f"{place.name}: to open, ms", spread(rounds), "–", "<= 20", statistics.median(rounds) <= 20, runs=ROUNDS)


def measure_list(program: str, place: Place, temp: Path, report: Report) -> None:
    times, peaks, starts = [], [], []
    for _ in range(ROUNDS * 3):
        run = run_measured([program, "list"], place.environment(), temp / "list")
        assert len((temp / "list").read_text().splitlines()) == INSTANCES + 1
        times.append(run.wall)
        peaks.append(run.peak)
        starts.append(run_measured([program, "--version"], place.environment(), temp / "version").wall)
    started = f"its start alone {spread(starts, 1)}"
    report.add(f"{place.name}: `list`, ms", spread(times, 1), started, "<= 100", statistics.median(times) <= 100, runs=len(times))
    report.add(f"{place.name}: `list`, peak MB", spread(peaks, 1), "–", "<= 60", statistics.median(peaks) <= 60, runs=len(peaks))


def measure_state(program: str, bench: str, count: int, temp: Path, report: Report) -> None:
    file = Place("SQLite", str(temp / "state.sqlite"))
    peers = {
        "sqlite3": lambda: sqlite_peer(temp / "peer.sqlite", count),
        "a JSON file": lambda: json_peer(temp / "peer.json", 20),
    }
    measure_place(program, bench, file, count, peers, temp, report)
    with postgres(temp) as url:
        peers = {"psycopg2": lambda: postgres_peer(re.sub("/state$", "/peer", url), count)}
        measure_place(program, bench, Place("PostgreSQL", url), count, peers, temp, report)


def measure_place(
    program: str,
    bench: str,
    place: Place,
    count: int,
    peers: dict[str, Callable[[], list[float]]],
    temp: Path,
    report: Report,
) -> None:
    place.run([bench, "fill", place.url, str(INSTANCES)])
    measure_open(bench, place, report)
    measure_list(program, place, temp, report)
    measure_transitions(bench, place, count, peers, report)


# What reconcile asks of a cloud with 1,000 instances.


def measure_reconcile(program: str, temp: Path, report: Report) -> None:
    with lab(program, temp) as environment:
        begun = time.perf_counter()
        deploy(program, environment, HOSTS)
        deployed = time.perf_counter() - begun
        report.add(f"`deploy` of {HOSTS} instances on scripted hosts, s", f"{deployed:.0f}", "–")
        walls, own, labs, beyond = [], [], [], []
        for _ in range(ROUNDS):
            since, spent = sum(requests(temp, 0).values()), lab_cpu(temp)
            run = run_measured([program, "reconcile", "--quiet"], environment, temp / "reconcile")
            walls.append(run.wall / 1000)
            own.append(run.cpu / 1000)
            labs.append(lab_cpu(temp) - spent)
            beyond.append(walls[-1] - labs[-1] / len(os.sched_getaffinity(0)))
            asked = requests(temp, since)
        lists = asked["GET /v1/servers"] + asked["GET /servers"]
        counts = ", ".join(f"{route} {count}" for route, count in sorted(asked.items()))
        pages = HOSTS // 50
        report.add(f"`reconcile` of {HOSTS} instances: lists of servers", str(lists), counts, f"<= {pages}", lists <= pages)
        limit = f"<= {RECONCILE_SECONDS:.0f}"
        holds = statistics.median(beyond) <= RECONCILE_SECONDS
        parts = f"wall {spread(walls)}; own CPU {spread(own)}; CPU of the lab and its hosts {spread(labs)}"
        what = f"`reconcile` of {HOSTS} instances, s, without the lab's share (its CPU on all cores)"
        report.add(what, spread(beyond), parts, limit, holds, runs=ROUNDS)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("bench")
    arguments.add_argument("--only", choices=["state", "reconcile"])
    arguments.add_argument("--transitions", type=int, default=2_000)
    options = arguments.parse_args()

    def measure(temp: Path, report: Report) -> None:
        if options.only != "reconcile":
            measure_state(options.program, options.bench, options.transitions, temp, report)
        if options.only != "state":
            measure_reconcile(options.program, temp, report)

    return run_bench("state", measure)


if __name__ == "__main__":
    sys.exit(main())
