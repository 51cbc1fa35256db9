#!/usr/bin/python3
"""Measures how long a deploy takes until its gateway is seen to serve from outside: from nothing, from an image, and from the pool.

On the lab's real machines, with its delays and the real packages; one server at a time, and none beside it but the standbys. Needs
root.

Usage: benches/deploy.py PROGRAM

What others say of themselves stands where peers would: theirs are not to be had here. Prints a table, leaves it in
target/bench-deploy.md, and exits with 1 where a limit does not hold.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bed

COLD_ROUNDS = 2
ROUNDS = 3
COLD, CLAIMED = 90.0, 5.0
# Beside the create, the boot and the gateway's own start, of a server from an image.
REST = 3.0
# By their own pages, as of November 2026.
OTHERS = {
    "cold": "OneClickClaw says about 300",
    "baked": "ClawHosters says about 180",
    "claimed": "ClawHosters says 30 to 60",
}


@contextmanager
def machines(program: str, temp: Path) -> Iterator[dict[str, str]]:
    """A cloud with real machines; the environment of an operator there."""
    folder = ["--dir", str(temp / "lab")]
    subprocess.run([program, "lab", "up", "--detach", *folder], check=True, stdout=subprocess.DEVNULL)
    try:
        exports = subprocess.run([program, "lab", "env", *folder], check=True, capture_output=True, text=True).stdout
        variables = dict(line.removeprefix("export ").split("=", 1) for line in exports.splitlines())
        variables = {name: value.strip("'") for name, value in variables.items()}
        yield {**os.environ, **variables, "CLAWBERTH_STATE": str(temp / "fleet.sqlite")}
    finally:
        subprocess.run([program, "lab", "down", *folder], check=True, stdout=subprocess.DEVNULL)


class Operator:
    def __init__(self, program: str, environment: dict[str, str]) -> None:
        self.program, self.environment = program, environment

    def run(self, *words: str) -> str:
        command = [self.program, *words, "--quiet"]
        return subprocess.run(command, check=True, env=self.environment, stdout=subprocess.PIPE, text=True).stdout

    def deploy(self, name: str) -> tuple[float, dict[str, tuple[int, int]]]:
        """How long it took, and when each part began and how long it took, in seconds."""
        begun = time.monotonic()
        self.run("deploy", name, "--yes")
        took = time.monotonic() - begun
        spans = json.loads(self.run("show", name, "--timing", "--json"))["spans"]
        return took, {span["what"]: (span["after"], span["took"]) for span in spans}


def add(what: str, kind: str, own: Sequence[float], limit: float, of: str, report: bed.Report) -> None:
    holds = statistics.median(own) <= limit
    report.add(what, bed.spread(own, 1), OTHERS[kind], f"<= {limit:.0f}{of}", holds, runs=len(own))


def measure(program: str, temp: Path, report: bed.Report) -> None:
    with machines(program, temp) as environment:
        operator = Operator(program, environment)
        cold = []
        for number in range(COLD_ROUNDS):
            cold.append(operator.deploy(f"cold-{number}"))
            operator.run("destroy", f"cold-{number}", "--yes")
        add("`deploy` from nothing, s", "cold", [took for took, _ in cold], COLD, "", report)
        parts = ("packages", "node", "package", "configuration", "gateway", "serve")
        for part in parts:
            took = [float(spans[part][1]) for _, spans in cold if part in spans]
            if took:
                report.add(f"of that `{part}`, s", bed.spread(took, 0), runs=len(took))

        operator.run("image", "bake", "--yes")
        baked = []
        for number in range(ROUNDS):
            baked.append(operator.deploy(f"baked-{number}"))
            operator.run("destroy", f"baked-{number}", "--yes")
        # whole seconds, of which each may be one too few
        least = [spans["users"][0] + spans["gateway"][1] + REST for _, spans in baked]
        of = " (create, boot, the gateway's own start, and 3)"
        add("... from an image, s", "baked", [took for took, _ in baked], statistics.median(least), of, report)

        operator.run("pool", "fill", "--size", str(ROUNDS), "--yes")
        claimed = [operator.deploy(f"claimed-{number}")[0] for number in range(ROUNDS)]
        add("... from the pool, s", "claimed", claimed, CLAIMED, "", report)
        operator.run("destroy", "--all", "--yes")


if __name__ == "__main__":
    chosen = str(Path(sys.argv[1]).resolve())
    sys.exit(bed.run_bench("deploy", lambda temp, report: measure(chosen, temp, report)))
