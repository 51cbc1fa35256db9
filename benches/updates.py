#!/usr/bin/python3
"""Measures what it costs the controller to update 1,000 instances: its CPU and memory, beside the time that the hosts
themselves take, which are scripted and only wait.

Usage: benches/updates.py PROGRAM [--hosts N]

Prints a table, leaves it in target/bench-updates.md, and exits with 1 where a limit does not hold.
"""

import json
import sys
from contextlib import contextmanager
from pathlib import Path

import bed

OLD, NEW = "2026.9.5", "2026.9.6"
# A real server takes 70 s for npm, 30 s and more for the rehearsal, 13 s for the switch: here a tenth of it.
STAGE, REHEARSE, READY = 7.0, 3.0, 1.0
PARALLEL = 100


@contextmanager
def lab(program: str, temp: Path):
    hosts = temp / "hosts.toml"
    hosts.write_text(
        f"boot = '0s'\npackages = '0s'\ncertificate = '0s'\nready = '{READY}s'\n"
        f"[update]\nstage = '{STAGE}s'\nrehearse = '{REHEARSE}s'\n[[part]]\nname = 'node'\ntakes = '0s'\n"
    )
    with bed.lab(program, temp, ["--hosts", str(hosts)]) as environment:
        yield environment


def switches(temp: Path) -> list[int]:
    """How often each host switched, by the lab's own record."""
    counts = []
    for file in (temp / "lab" / "machines").glob("*/host.json"):
        entries = json.loads(file.read_text())["releases"]["journal"]
        counts.append(sum(entry["part"] == "switch" for entry in entries))
    return counts


def measure(program: str, hosts: int, temp: Path, report: bed.Report) -> None:
    with lab(program, temp) as environment:
        bed.deploy(program, environment, hosts, ["--version", OLD])
        words = [program, "update", "--all", "--version", NEW, "--bake", "0s", "--budget", str(PARALLEL + 1)]
        words += ["--max-parallel", str(PARALLEL), "--waves", "1,100%", "--yes", "--quiet"]
        run = bed.run_measured(words, environment, temp / "updated")
        assert switches(temp) == [1] * hosts, "not each host switched once"
        own = hosts * (STAGE + REHEARSE + READY)
        part = 100 * run.cpu / 1000 / own
        what = f"update of {hosts} instances: the controller's CPU, % of the hosts' own time"
        beside = f"{run.cpu / 1000:.1f} s beside {own:.0f} s"
        report.add(what, f"{part:.2f}", beside, "<= 5", part <= 5)
        report.add("its peak of memory, MB", f"{run.peak:.0f}", "–", "<= 100", run.peak <= 100)
        least = own / PARALLEL + STAGE + REHEARSE + READY
        lab_share = f"{least:.0f} s, if nothing but the hosts took time; the lab plays them on the same cores"
        report.add(f"wall time with {PARALLEL} at once, s", f"{run.wall / 1000:.0f}", lab_share)


if __name__ == "__main__":
    sys.exit(bed.run_on_hosts("updates", 1000, measure))
