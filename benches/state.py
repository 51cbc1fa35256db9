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
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INSTANCES = 10_000
HOSTS = 1_000
ROUNDS = 3
HERE = Path(__file__).resolve().parent
REPORT = HERE.parent / "target" / "bench-state.md"
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


class Report:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []
        self.failed = False

    def add(self, what: str, measured: str, peer: str, limit: str = "", holds: bool = True) -> None:
        verdict = f"{limit} {'met' if holds else 'not met'}" if limit else ""
        self.rows.append((what, measured, peer, verdict))
        self.failed |= not holds
        print(f"{what}: {measured}; {peer} {verdict}", file=sys.stderr)

    def text(self) -> str:
        head = ("what (min / median / max of the rounds)", "clawberth", "peer", "limit")
        lines = [" | ".join(row) for row in [head, ("---",) * 4, *self.rows]]
        return "\n".join(f"| {line} |" for line in lines)


def spread(values: list[float], digits: int = 2) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low:.{digits}f} / {middle:.{digits}f} / {high:.{digits}f}"


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
        report.add(f"{place.name}: a durable transition, {name}, ms", spread(own[name]), beside, f"<= {limit:.0f}", holds)
        report.add(f"{place.name}: the intent before it, {name}, ms", spread(intents[name]), "–")


def measure_open(bench: str, place: Place, report: Report) -> None:
    rounds = []
    for _ in range(ROUNDS):
        lines = place.run([bench, "open", place.url, "20"]).stdout.split()
        rounds.append(statistics.median(int(line) / 1000 for line in lines))
    report.add(f"{place.name}: to open, ms", spread(rounds), "–", "<= 20", statistics.median(rounds) <= 20)


@dataclass
class Run:
    """What a command took: wall time in ms, the peak of resident memory in MB, CPU in ms."""

    wall: float
    peak: float
    cpu: float


def run_measured(words: list[str], environment: dict[str, str], output: Path, codes: Collection[int] = (0,)) -> Run:
    """Runs a command that must end with one of these exit codes."""
    begun = time.perf_counter()
    with output.open("w") as file, subprocess.Popen(words, stdout=file, env=environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in codes, (words, process.returncode)
    cpu = usage.ru_utime + usage.ru_stime
    return Run((time.perf_counter() - begun) * 1000, usage.ru_maxrss / 1024, cpu * 1000)


def measure_list(program: str, place: Place, temp: Path, report: Report) -> None:
    times, peaks, starts = [], [], []
    for _ in range(ROUNDS * 3):
        run = run_measured([program, "list"], place.environment(), temp / "list")
        assert len((temp / "list").read_text().splitlines()) == INSTANCES + 1
        times.append(run.wall)
        peaks.append(run.peak)
        starts.append(run_measured([program, "--version"], place.environment(), temp / "version").wall)
    started = f"its start alone {spread(starts, 1)}"
    report.add(f"{place.name}: `list`, ms", spread(times, 1), started, "<= 100", statistics.median(times) <= 100)
    report.add(f"{place.name}: `list`, peak MB", spread(peaks, 1), "–", "<= 60", statistics.median(peaks) <= 60)


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


@contextmanager
def lab(program: str, temp: Path, more: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """A cloud with scripted hosts; the environment of an operator there."""
    folder = ["--dir", str(temp / "lab")]
    quick = ["--machines", "scripted", "--speed", "none", "--rate-limit", "none", *more]
    subprocess.run([program, "lab", "up", "--detach", *folder, *quick], check=True, stdout=subprocess.DEVNULL)
    try:
        exports = subprocess.run([program, "lab", "env", *folder], check=True, capture_output=True, text=True).stdout
        variables = dict(line.removeprefix("export ").split("=", 1) for line in exports.splitlines())
        variables = {name: value.strip("'") for name, value in variables.items()}
        yield {**os.environ, **variables, "HOME": str(temp), "CLAWBERTH_STATE": str(temp / "fleet.sqlite")}
    finally:
        subprocess.run([program, "lab", "down", *folder], check=True, stdout=subprocess.DEVNULL)


def requests(temp: Path, since: int) -> collections.Counter[str]:
    """How often each route was asked for; ids are one and the same."""
    lines = (temp / "lab" / "requests.jsonl").read_text().splitlines()[since:]
    entries = map(json.loads, lines)
    return collections.Counter(
        f"{entry['method']} {re.sub(r'/[0-9]+', '/N', entry['path'].split('?')[0])}" for entry in entries
    )


def lab_cpu(temp: Path) -> float:
    """Seconds of CPU that the lab has used, which plays the API and the hosts on the same cores (proc_pid_stat(5))."""
    pid = json.loads((temp / "lab" / "lab.pid").read_text())["pid"]
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def measure_reconcile(program: str, temp: Path, report: Report) -> None:
    with lab(program, temp) as environment:
        names = [f"user-{number:04}" for number in range(HOSTS)]
        begun = time.perf_counter()
        for at in range(0, HOSTS, 100):
            words = [program, "deploy", "--yes", "--quiet", *names[at : at + 100]]
            subprocess.run(words, check=True, env=environment, stdout=subprocess.DEVNULL)
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
        report.add(what, spread(beyond), parts, limit, holds)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("bench")
    arguments.add_argument("--only", choices=["state", "reconcile"])
    arguments.add_argument("--transitions", type=int, default=2_000)
    options = arguments.parse_args()
    # /tmp may be memory, and what is durable there costs nothing
    temp = Path(tempfile.mkdtemp(dir="/var/tmp"))
    report = Report()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        if options.only != "reconcile":
            measure_state(options.program, options.bench, options.transitions, temp, report)
        if options.only != "state":
            measure_reconcile(options.program, temp, report)
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(report.text() + "\n")
    print(report.text())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
