#!/usr/bin/python3
"""Runs the benchmarks one after the other, whatever comes of each, and joins their tables in target/bench.md.

Usage: benches/all.py PROGRAM BENCH [--only NAME]…

PROGRAM is clawberth, BENCH the built benches/state.rs. Another part is a line of PARTS here, and a script that leaves its table
in target/bench-NAME.md (bed.run_bench). Exits with 1 where a part broke or a limit does not hold.
"""

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bed

HERE = Path(__file__).resolve().parent
# The name of the script, and what its table is about.
PARTS = {
    "startup": "To start",
    "deploy": "From nothing to a gateway",
    "api": "To make servers and to remove them",
    "fanout": "A command on many servers",
    "updates": "An update of a thousand",
    "audit": "An audit of a hundred",
    "state": "The state",
    "lab_api": "The lab beside nginx",
}
# Of a row of bed.Report.
MET, NOT_MET = "| met |", "| not met |"


@dataclass
class Part:
    name: str
    code: int
    table: str | None
    seconds: float
    loads: tuple[float, float]

    def broke(self) -> bool:
        """A limit that does not hold ends a script with 1, but not before it has written its table."""
        return self.table is None or self.code not in (0, 1)

    def text(self) -> str:
        begun, ended = self.loads
        told = f"{self.seconds / 60:.1f} minutes; load {begun:.1f} at the beginning, {ended:.1f} at the end."
        if self.broke():
            told += f" **It broke** (exit status {self.code})."
        return f"## {PARTS[self.name]}\n\n`benches/{self.name}.py`: {told}\n\n{self.table or ''}"

    def row(self) -> str:
        lines = (self.table or "").splitlines()
        counts = [sum(line.endswith(word) for line in lines) for word in (MET, NOT_MET)]
        return f"| {PARTS[self.name]} | {counts[0]} | {counts[1]} | {'broke' if self.broke() else ''} |"


def run(name: str, words: Sequence[str]) -> Part:
    table = bed.TARGET / f"bench-{name}.md"
    # or an old one would stand for a part that broke
    table.unlink(missing_ok=True)
    print(f"\n== {PARTS[name]}", file=sys.stderr, flush=True)
    before, begun = os.getloadavg()[0], time.monotonic()
    with subprocess.Popen([str(HERE / f"{name}.py"), *words], stdout=subprocess.DEVNULL) as process:
        with bed.ended_with_us(process):
            code = process.wait()
    text = table.read_text() if table.exists() else None
    return Part(name, code, text, time.monotonic() - begun, (before, os.getloadavg()[0]))


def machine(program: str) -> Iterator[str]:
    """When, where and what."""
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    cpu = re.findall(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    now = datetime.datetime.now(datetime.UTC)
    yield f"{now:%Y-%m-%d %H:%M} UTC, {version}, {Path(program).parent.name} build."
    yield f"{os.cpu_count()} cores ({cpu[0] if cpu else 'unknown'}), {memory:.0f} GB, Linux {platform.release()}."
    yield (
        "Each cell is min / median / max of the runs; a peer's runs stand behind it. The ratio is the best peer's median by ours: "
        "above 1 we need less, below 1 we lose. Counts are exact, CPU time can be trusted, time on a clock only beside "
        "the peers of the same run."
    )


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("bench")
    arguments.add_argument("--only", action="append", choices=list(PARTS))
    options = arguments.parse_args()
    bed.end_when_told()
    program = str(Path(options.program).resolve())
    more = {"state": [options.bench]}
    parts = [run(name, [program, *more.get(name, [])]) for name in PARTS if name in (options.only or PARTS)]
    summary = ["| part | met | not met | |", "| --- | --- | --- | --- |", *(part.row() for part in parts)]
    report = "\n\n".join(["# Benchmarks", *machine(program), "\n".join(summary), *(part.text() for part in parts)])
    (bed.TARGET / "bench.md").write_text(report + "\n")
    print(report)
    return 1 if any(part.broke() or part.code != 0 for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
