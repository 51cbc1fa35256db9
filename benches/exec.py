#!/usr/bin/python3
"""Measures a command on many servers at once: connect, see that the host key is the pinned one, log in, run `true`. The servers are
scripted and share this computer's cores with the client, so its own CPU says more than its time.

Usage: benches/exec.py PROGRAM [--hosts N]

The peer is OpenSSH's client, 64 at a time through xargs, with the same pinned keys. Prints a table, leaves it in
target/bench-exec.md, and exits with 1 where a limit does not hold.
"""

import statistics
import subprocess
import sys
from pathlib import Path

import bed

ROUNDS = 5
# OpenSSH takes several times as long: some are enough.
PEERS = 100
SECONDS, MILLISECONDS, MEGABYTES = 1.0, 1.0, 50.0


def measure(program: str, hosts: int, temp: Path, report: bed.Report) -> None:
    with bed.lab(program, temp) as environment:
        peers = bed.deploy(program, environment, hosts)[:PEERS]
        config = temp / "ssh"
        subprocess.run([program, "ssh-config", "--write", str(config), "--quiet"], check=True, env=environment)
        ours, theirs = [], []
        xargs = f"printf '%s\\n' {' '.join(peers)} | xargs -P 64 -I NAME ssh -F {config}/config NAME true"
        for _ in range(ROUNDS):
            words = [program, "exec", "--all", "--json", "--quiet", "--", "true"]
            ours.append(bed.run_measured(words, environment, temp / "answer"))
            theirs.append(bed.run_measured(["sh", "-c", xargs], environment, temp / "peer"))
    walls, peer_walls = [run.wall / 1000 for run in ours], [run.wall / 1000 for run in theirs]
    cpus, peer_cpus = [run.cpu / hosts for run in ours], [run.cpu / len(peers) for run in theirs]
    peaks = [run.peak for run in ours]
    holds = statistics.median(walls) <= SECONDS
    what = f"`exec --all` on {hosts} servers, s"
    report.add(what, bed.spread(walls), f"OpenSSH on {len(peers)}: {bed.spread(peer_walls)}", f"<= {SECONDS}", holds)
    ratio = statistics.median(peer_cpus) / statistics.median(cpus)
    holds = statistics.median(cpus) <= MILLISECONDS
    peer = f"OpenSSH: {bed.spread(peer_cpus)} ({ratio:.0f} times as much)"
    report.add("the client's CPU, ms a server", bed.spread(cpus), peer, f"<= {MILLISECONDS}", holds)
    holds = statistics.median(peaks) <= MEGABYTES
    report.add("its peak of memory, MB", bed.spread(peaks, 1), "–", f"<= {MEGABYTES:.0f}", holds)


if __name__ == "__main__":
    sys.exit(bed.run_on_hosts("exec", 1000, measure))
