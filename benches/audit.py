#!/usr/bin/python3
"""Measures what it takes to audit 100 instances: the answers of their hosts are scripted, what is made of them is not.

A port that is closed refuses at once there, where a real server's firewall says nothing for as long as the scan waits. That
time is added, as if nothing else were done meanwhile.

Usage: benches/audit.py PROGRAM [--hosts N]

Prints a table, leaves it in target/bench-audit.md, and exits with 1 where a limit does not hold.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import state

REPORT = state.HERE.parent / "target" / "bench-audit.md"
ROUNDS = 5
SECONDS = 60.0
MEGABYTES = 200.0
# Of src/host/scan.rs: the usual TCP ports, over both families, how long silence is waited for, and how many at once.
PORTS, FAMILIES, SILENCE, AT_ONCE = 1024 + 46, 2, 1.2, 16_000
# What is not the host's, but this computer's: what listens here on all addresses is open on each host, which has no IPv6.
OURS = {"tcp4", "tcp6", "udp"}


def judge(output: Path, hosts: int) -> int:
    """How many promises were judged; of the hosts all have to hold."""
    instances = json.loads(output.read_text())["instances"]
    assert len(instances) == hosts, f"{len(instances)} of {hosts} were audited"
    found = [finding for instance in instances for finding in instance["promises"]]
    wrong = [finding for finding in found if finding["verdict"] != "ok" and finding["promise"] not in OURS]
    assert not wrong, [f"{finding['promise']}: {finding['evidence']}" for finding in wrong[:5]]
    return len(found)


def measure(program: str, hosts: int, temp: Path, report: state.Report) -> None:
    with state.lab(program, temp) as environment:
        names = [f"user-{number:04}" for number in range(hosts)]
        words = [program, "deploy", "--yes", "--quiet", *names]
        subprocess.run(words, check=True, env=environment, stdout=subprocess.DEVNULL)
        runs, labs, promises = [], [], 0
        for _ in range(ROUNDS):
            spent, output = state.lab_cpu(temp), temp / "audit.json"
            runs.append(state.run_measured([program, "audit", "--json", "--quiet"], environment, output, {0, 1}))
            labs.append(state.lab_cpu(temp) - spent)
            promises = judge(output, hosts)
    silence = hosts * PORTS * FAMILIES * SILENCE / AT_ONCE
    walls = [run.wall / 1000 for run in runs]
    what = f"`audit` of {hosts} instances, s, {promises} promises"
    parts = f"own CPU {state.spread([run.cpu / 1000 for run in runs])}; CPU of the lab and its hosts {state.spread(labs)}"
    report.add(what, state.spread(walls), parts)
    real = [wall + silence for wall in walls]
    holds = statistics.median(real) <= SECONDS
    what = "with the silence of real firewalls, s"
    report.add(what, state.spread(real), f"{silence:.1f} s of silence", f"<= {SECONDS:.0f}", holds)
    peaks = [run.peak for run in runs]
    holds = statistics.median(peaks) <= MEGABYTES
    report.add("its peak of memory, MB", state.spread(peaks, 1), "–", f"<= {MEGABYTES:.0f}", holds)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--hosts", type=int, default=100)
    options = arguments.parse_args()
    temp = Path(tempfile.mkdtemp(dir="/var/tmp"))
    report = state.Report()
    try:
        measure(str(Path(options.program).resolve()), options.hosts, temp, report)
    finally:
        shutil.rmtree(temp)
    REPORT.write_text(report.text() + "\n")
    print(report.text())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
