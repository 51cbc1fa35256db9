"""What the measurements share: a cloud with scripted hosts, a command that is timed, and the table of what was measured."""

import argparse
import collections
import http.client
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"
# Where scripts/setup keeps what it has fetched.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clawberth"
# Of what scripts/setup has fetched: the real client for Hetzner, as two releases of Debian have it.
HCLOUD = {
    "hcloud CLI 1.30.3": CACHE / "hcloud-cli-1.30/usr/bin/hcloud",
    "hcloud CLI 1.39.0": CACHE / "hcloud-cli/usr/bin/hcloud",
}


class Report:
    """Rows of one part of target/bench.md, which benches/all.py joins: a row without a limit is there to be read."""

    HEAD = ("what (min / median / max of the runs)", "runs", "clawberth", "peers", "ratio", "limit", "")

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.failed = False

    def add(
        self,
        what: str,
        measured: str,
        peer: str = "–",
        limit: str = "",
        holds: bool = True,
        *,
        runs: int = 1,
        ratio: str = "–",
    ) -> None:
        verdict = ("met" if holds else "not met") if limit else ""
        self.rows.append((what, str(runs), measured, peer, ratio, limit, verdict))
        self.failed |= not holds
        print(f"{what}: {measured}; {peer}; {ratio} {limit} {verdict}", file=sys.stderr)

    def text(self) -> str:
        lines = [" | ".join(row) for row in [self.HEAD, ("---",) * len(self.HEAD), *self.rows]]
        return "\n".join(f"| {line} |" for line in lines)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Of one run there is nothing to spread."""
    low, middle, high = min(values), statistics.median(values), max(values)
    if len(values) == 1:
        return f"{middle:.{digits}f}"
    return f"{low:.{digits}f} / {middle:.{digits}f} / {high:.{digits}f}"


def beside(peers: Mapping[str, Sequence[float]], digits: int = 2) -> str:
    """What the peers took, each with its number of runs."""
    return "; ".join(f"{name}: {spread(values, digits)} ({len(values)})" for name, values in peers.items()) or "–"


def ratio(own: Sequence[float], peers: Mapping[str, Sequence[float]]) -> str:
    """How often our median goes into that of the best peer: above 1 we need less."""
    if not peers:
        return "–"
    best = min(statistics.median(values) for values in peers.values())
    return f"{best / statistics.median(own):.2f}"


@dataclass
class Run:
    """What a command took: wall time in ms, the peak of resident memory in MB, CPU in ms."""

    wall: float
    peak: float
    cpu: float


@contextmanager
def ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Who breaks off in between does not wait for a command to get done."""
    try:
        yield
    except BaseException:
        process.terminate()
        raise


def run_measured(words: list[str], environment: dict[str, str], output: Path, codes: Collection[int] = (0,)) -> Run:
    """Runs a command that must end with one of these exit codes."""
    told = output.with_suffix(".err")
    begun = time.perf_counter()
    with output.open("w") as file, told.open("w") as errors, subprocess.Popen(
        words, stdout=file, stderr=errors, env=environment
    ) as process:
        with ended_with_us(process):
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    end = output.read_text()[-500:] + told.read_text()[-500:]
    assert process.returncode in codes, f"{words} ended with {process.returncode}: {end}"
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall * 1000, usage.ru_maxrss / 1024, cpu * 1000)


@contextmanager
def lab(
    program: str, temp: Path, more: Sequence[str] = (), speed: Sequence[str] = ("--speed", "none"), limit: str = "none"
) -> Iterator[dict[str, str]]:
    """A cloud with scripted hosts; the environment of an operator there."""
    folder = ["--dir", str(temp / "lab")]
    how = ["--machines", "scripted", "--rate-limit", limit, *speed, *more]
    subprocess.run([program, "lab", "up", "--detach", *folder, *how], check=True, stdout=subprocess.DEVNULL)
    try:
        exports = subprocess.run([program, "lab", "env", *folder], check=True, capture_output=True, text=True).stdout
        variables = dict(line.removeprefix("export ").split("=", 1) for line in exports.splitlines())
        variables = {name: value.strip("'") for name, value in variables.items()}
        yield {**os.environ, **variables, "HOME": str(temp), "CLAWBERTH_STATE": str(temp / "fleet.sqlite")}
    finally:
        subprocess.run([program, "lab", "down", *folder], check=True, stdout=subprocess.DEVNULL)


def entries(temp: Path, since: int = 0) -> list[dict[str, Any]]:
    """What the lab was asked for, as it wrote it down."""
    return [json.loads(line) for line in (temp / "lab" / "requests.jsonl").read_text().splitlines()[since:]]


def requests(temp: Path, since: int) -> collections.Counter[str]:
    """How often each route was asked for; ids are one and the same."""
    return collections.Counter(
        f"{entry['method']} {re.sub(r'/[0-9]+', '/N', entry['path'].split('?')[0])}" for entry in entries(temp, since)
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


class Api:
    """Requests of ours to the API over one connection, each of which must succeed."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        url = urllib.parse.urlsplit(environment["HCLOUD_ENDPOINT"])
        self.base = url.path
        self.connection = http.client.HTTPConnection(url.netloc, timeout=60)
        self.headers = {"Authorization": f"Bearer {environment['HCLOUD_TOKEN']}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body)
        self.connection.request(method, self.base + path, data, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (method, path, answer.status, text[:300])
        return json.loads(text)

    def servers(self) -> int:
        """How many there are."""
        return self.call("GET", "/servers?per_page=1")["meta"]["pagination"]["total_entries"]


@dataclass
class Fleet:
    """A state with one instance that was deployed, from which larger ones are made."""

    program: str
    environment: dict[str, str]

    def of(self, place: Path, addresses: Sequence[str], host_key: str | None = None) -> dict[str, str]:
        """The environment of an operator whose state says that instances live at these addresses, which show this host key."""
        document = json.loads(self.run(self.environment, ["state", "export"]))
        [instance] = document["instances"]
        document["instances"] = [self.copy(instance, number, address, host_key) for number, address in enumerate(addresses)]
        exported = place.with_suffix(".json")
        exported.write_text(json.dumps({**document, "creations": [], "history": []}))
        environment = {**self.environment, "CLAWBERTH_STATE": str(place)}
        self.run(environment, ["state", "import", str(exported)])
        shutil.copy(self.key(), f"{place}.ssh_key")
        return environment

    def key(self) -> Path:
        """The operator's key, which lies beside the state."""
        return Path(self.environment["CLAWBERTH_STATE"] + ".ssh_key")

    def run(self, environment: dict[str, str], words: list[str]) -> str:
        words = [self.program, *words, "--quiet"]
        return subprocess.run(words, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout

    @staticmethod
    def copy(instance: dict[str, Any], number: int, address: str, host_key: str | None) -> dict[str, Any]:
        server = {**instance["stage"]["server"], "id": 1_000_000 + number, "ipv4": address}
        server["host_key"] = host_key or server["host_key"]
        return {**instance, "name": f"user-{number:05}", "stage": {**instance["stage"], "server": server}}


def clients() -> Path:
    """The environment with Python's peers."""
    words = [str(ROOT / "scripts" / "clients"), str(ROOT / "benches" / "requirements.txt")]
    return Path(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def end_when_told() -> None:
    """Who is told to end takes away what was started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run_bench(name: str, work: Callable[[Path, Report], None]) -> int:
    """Measures in a folder of its own, prints the table, and leaves it in target/; 1 where a limit does not hold."""
    end_when_told()
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
