#!/usr/bin/python3
"""Measures what it takes to audit 100 instances: the answers of their hosts are scripted, what is made of them is not.

A port that is closed refuses at once there, where a real server's firewall says nothing for as long as the scan waits. That
time is added, as if nothing else were done meanwhile.

Usage: benches/audit.py PROGRAM [--hosts N]

Prints a table, leaves it in target/bench-audit.md, and exits with 1 where a limit does not hold.
"""

import json
import statistics
import sys
from pathlib import Path

import bed

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


def measure(program: str, hosts: int, temp: Path, report: bed.Report) -> None:
    with bed.lab(program, temp) as environment:
        bed.deploy(program, environment, hosts)
        runs, labs, promises = [], [], 0
        for _ in range(ROUNDS):
            spent, output = bed.lab_cpu(temp), temp / "audit.json"
            runs.append(bed.run_measured([program, "audit", "--json", "--quiet"], environment, output, {0, 1}))
            labs.append(bed.lab_cpu(temp) - spent)
            promises = judge(output, hosts)
    silence = hosts * PORTS * FAMILIES * SILENCE / AT_ONCE
    walls = [run.wall / 1000 for run in runs]
    what = f"`audit` of {hosts} instances, s, {promises} promises"
    parts = f"own CPU {bed.spread([run.cpu / 1000 for run in runs])}; CPU of the lab and its hosts {bed.spread(labs)}"
    report.add(what, bed.spread(walls), parts, runs=ROUNDS)
    real = [wall + silence for wall in walls]
    holds = statistics.median(real) <= SECONDS
    what = "with the silence of real firewalls, s"
    report.add(what, bed.spread(real), f"{silence:.1f} s of silence", f"<= {SECONDS:.0f}", holds, runs=ROUNDS)
    peaks = [run.peak for run in runs]
    holds = statistics.median(peaks) <= MEGABYTES
    report.add("its peak of memory, MB", bed.spread(peaks, 1), "–", f"<= {MEGABYTES:.0f}", holds, runs=ROUNDS)


if __name__ == "__main__":
    sys.exit(bed.run_on_hosts("audit", 100, measure))
