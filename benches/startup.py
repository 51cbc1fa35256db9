#!/usr/bin/python3
"""Measures how long one waits before anything is done: `--help`, and `list` with 10,000 instances in the state; and how large
the program is.

Usage: benches/startup.py PROGRAM

The peers are those whose commands are typed as often. `hcloud server list` asks the API of the lab, where so many servers are,
for what `list` finds in the state. Prints a table, leaves it in target/bench-startup.md, and exits with 1 where a limit does not
hold.
"""

import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import bed

ROUNDS = 15
SLOW_ROUNDS = 3
INSTANCES = 10_000
HELP, LIST, MEGABYTES = 10.0, 100.0, 20.0


def measure_help(program: str, environment: dict[str, str], python: Path, temp: Path, report: bed.Report) -> None:
    peers = {name: [str(path), "--help"] for name, path in bed.HCLOUD.items()}
    slow = {name: [f"{python}/bin/{name}", "--help"] for name in ["ansible", "pyinfra"]}
    times: dict[str, list[float]] = {name: [] for name in [program, *peers, *slow]}
    for round in range(ROUNDS):
        words = {program: [program, "--help"], **peers, **(slow if round < SLOW_ROUNDS else {})}
        for name, command in words.items():
            times[name].append(bed.run_measured(command, environment, temp / "help").wall)
    add("`clawberth --help`, ms", times.pop(program), times, HELP, report)


def measure_list(fleet: bed.Fleet, temp: Path, report: bed.Report) -> None:
    addresses = [f"198.18.{number // 250}.{number % 250}" for number in range(INSTANCES)]
    environment = fleet.of(temp / "many.sqlite", addresses)
    api = bed.Api(fleet.environment)
    for number in range(INSTANCES):
        wish = {"name": f"s{number}", "server_type": "cx23", "image": "debian-13", "start_after_create": False}
        api.call("POST", "/servers", wish)
    own: list[float] = []
    peers: dict[str, list[float]] = {f"{name} server list": [] for name in bed.HCLOUD}
    for round in range(ROUNDS):
        own.append(bed.run_measured([fleet.program, "list"], environment, temp / "list").wall)
        assert len((temp / "list").read_text().splitlines()) == INSTANCES + 1
        for name, path in bed.HCLOUD.items() if round < SLOW_ROUNDS else ():
            run = bed.run_measured([str(path), "server", "list"], environment, temp / "peer")
            peers[f"{name} server list"].append(run.wall)
    add(f"`list` of {INSTANCES:,}, ms", own, peers, LIST, report)


def add(what: str, own: Sequence[float], peers: dict[str, list[float]], limit: float, report: bed.Report) -> None:
    holds = statistics.median(own) <= limit
    wanted, ratio = f"<= {limit:.0f}", bed.ratio(own, peers)
    report.add(what, bed.spread(own, 1), bed.beside(peers, 1), wanted, holds, runs=len(own), ratio=ratio)


def measure_size(program: str, temp: Path, report: bed.Report) -> None:
    stripped = temp / "stripped"
    subprocess.run(["strip", "-o", stripped, program], check=True)
    sizes = {name: [path.stat().st_size / 1e6] for name, path in bed.HCLOUD.items()}
    own = [stripped.stat().st_size / 1e6]
    add("the program without symbols, MB", own, sizes, MEGABYTES, report)


def measure(program: str, temp: Path, report: bed.Report) -> None:
    python = bed.clients()
    measure_size(program, temp, report)
    with bed.lab(program, temp) as environment:
        bed.deploy(program, environment, 1)
        measure_help(program, environment, python, temp, report)
        measure_list(bed.Fleet(program, environment), temp, report)


if __name__ == "__main__":
    chosen = str(Path(sys.argv[1]).resolve())
    sys.exit(bed.run_bench("startup", lambda temp, report: measure(chosen, temp, report)))
