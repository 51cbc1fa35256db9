"""What the measurements share: a cloud with scripted hosts, a command that is timed, and the table of what was measured."""

import argparse
import collections
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "target"


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


def deploy(program: str, environment: dict[str, str], hosts: int, more: Sequence[str] = ()) -> list[str]:
    """Deploys so many instances, a hundred at a time; their names."""
    names = [f"user-{number:04}" for number in range(hosts)]
    for at in range(0, hosts, 100):
        words = [program, "deploy", "--yes", "--quiet", *more, *names[at : at + 100]]
        subprocess.run(words, check=True, env=environment, stdout=subprocess.DEVNULL)
    return names


def run_bench(name: str, work: Callable[[Path, Report], None]) -> int:
    """Measures in a folder of its own, prints the table, and leaves it in target/; 1 where a limit does not hold."""
    # /tmp may be memory, and what is durable there costs nothing
    temp = Path(tempfile.mkdtemp(dir="/var/tmp"))
    report = Report()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        work(temp, report)
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    TARGET.mkdir(exist_ok=True)
    (TARGET / f"bench-{name}.md").write_text(report.text() + "\n")
    print(report.text())
    return 1 if report.failed else 0


def run_on_hosts(name: str, hosts: int, measure: Callable[[str, int, Path, Report], None]) -> int:
    """The same for what takes a program and a number of hosts as its arguments."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--hosts", type=int, default=hosts)
    options = arguments.parse_args()
    program = str(Path(options.program).resolve())
    return run_bench(name, lambda temp, report: measure(program, options.hosts, temp, report))
