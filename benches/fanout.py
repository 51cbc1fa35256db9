#!/usr/bin/python3
"""Measures a command on many servers at once: connect, see that the host key is the pinned one, log in, run `true`.

Usage: benches/fanout.py PROGRAM [--only logins|scripted|holes] [--logins N,N] [--hosts N]

- logins: 100 and 500 on one real sshd (Debian 13's, as it is by default), which stands for as many hosts on 127.0.0.0/8, beside
  OpenSSH's client, Ansible, pyinfra and parallel-ssh, all in turn;
- scripted: 1,000 and 3,000 scripted hosts (--hosts N: so many), beside OpenSSH's client on 100 of them;
- holes: the same 1,000, of which one in a hundred swallows what is sent to it.

The servers share this computer's cores with the client: its own CPU (getrusage(2)) says more than its time. All of it is in a
network of its own, where port 22 of all addresses is free; that takes root. Prints a table, leaves it in
target/bench-fanout.md, and exits with 1 where a limit does not hold.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import bed

ROUNDS, HOLES = 5, 3
# Of the larger number, these two take a minute together: once is enough to know where they are.
SLOW = {"OpenSSH, xargs -P64", "Ansible raw, 50 forks"}
SCRIPTED = 1_000
# OpenSSH takes so much longer: some are enough.
SOME = 100
SECONDS, MILLISECONDS, MEGABYTES = 1.0, 1.0, 50.0
# Of src/ssh/session.rs: how long a connection and its login may take.
CONNECT = 15.0
TREE = bed.CACHE / "openssh-server"
INSIDE = "CLAWBERTH_BENCH_NETWORK"


def enter_network() -> None:
    """Starts this script anew in a network and with mounts of its own, which end with it."""
    if INSIDE not in os.environ:
        words = ["unshare", "--net", "--mount", sys.executable, *sys.argv]
        os.execvpe("unshare", words, {**os.environ, INSIDE: "yes"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@dataclass
class Hosts:
    """Whom to log in to, in the words of each client."""

    program: str
    environment: dict[str, str]
    addresses: list[str]
    key: Path
    host_key: str
    folder: Path
    python: Path
    wait: int = 60

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.write("hosts", "\n".join(self.addresses) + "\n")
        known = self.write("known", "".join(f"{address} {self.host_key}\n" for address in self.addresses))
        self.config = self.write(
            "config",
            f"Host *\n  User root\n  IdentityFile {self.key}\n  IdentitiesOnly yes\n  BatchMode yes\n"
            f"  UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n"
            f"  ConnectTimeout {self.wait}\n",
        )
        data = {"ssh_known_hosts_file": str(known), "ssh_strict_host_key_checking": "yes"}
        hosts = [(address, data) for address in self.addresses]
        self.write("inventory.py", f"hosts = {hosts!r}\n")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def ours(self) -> list[str]:
        return [self.program, "exec", "--all", "--json", "--quiet", "--", "true"]

    def openssh(self, some_fail: bool = False) -> list[str]:
        """xargs gives up altogether where ssh ends with 255, unless somebody makes that a 1."""
        ssh = f"ssh -F {self.config} HOST true"
        ssh = f"sh -c '{ssh} || exit 1'" if some_fail else ssh
        return ["sh", "-c", f"xargs -P 64 -I HOST {ssh} <{self.folder}/hosts"]

    def peers(self) -> dict[str, list[str]]:
        ansible = [f"{self.python}/bin/ansible", "all", "-i", f"{self.folder}/hosts", "-f", "50", "-m", "raw", "-a", "true"]
        inventory = ["--user", "root", "--key", str(self.key), str(self.folder / "inventory.py")]
        pyinfra = [f"{self.python}/bin/pyinfra", "--yes", "--parallel", "64", *inventory, "exec", "--", "true"]
        script = Path(__file__).parent / "peers" / "parallel_ssh.py"
        return {
            "OpenSSH, xargs -P64": self.openssh(),
            "Ansible raw, 50 forks": ansible,
            "pyinfra": pyinfra,
            "parallel-ssh": [f"{self.python}/bin/python", str(script), f"{self.folder}/hosts", str(self.key)],
        }

    def run(self, words: list[str], codes: Sequence[int] = (0,)) -> bed.Run:
        """Without ControlPersist, or Ansible would leave the work to processes that outlive it and are not counted."""
        ansible = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_SSH_ARGS": f"-F {self.config} -o ControlMaster=no"}
        environment = {**self.environment, **ansible, "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
        return bed.run_measured(words, environment, self.folder / "answer", codes)


@dataclass
class Runs:
    """What one client took, on so many hosts."""

    hosts: int
    runs: list[bed.Run] = field(default_factory=list)

    def walls(self) -> list[float]:
        return [run.wall / 1000 for run in self.runs]

    def cpus(self) -> list[float]:
        return [run.cpu / self.hosts for run in self.runs]

    def peaks(self) -> list[float]:
        return [run.peak for run in self.runs]


# Logins on a real sshd.


@contextmanager
def sshd(temp: Path, login: str) -> Iterator[tuple[int, str]]:
    """Debian's sshd in the tree that scripts/setup has fetched, with a bare shell for root there; its process and host key."""
    for folder in ["etc", "root", "run"]:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "none", TREE / folder], check=True)
    # Ansible's `raw` wants a terminal
    subprocess.run(["mount", "--rbind", "/dev", TREE / "dev"], check=True)
    (TREE / "run" / "sshd").mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", TREE / "etc" / "host"], check=True)
    files = {
        "passwd": "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n",
        "shadow": "root:*:20000:0:99999:7:::\n",
        "group": "root:x:0:\nnogroup:x:65534:\n",
        "keys": f"{login}\n",
        "sshd_config": "ListenAddress 0.0.0.0:22\nHostKey /etc/host\nAuthorizedKeysFile /etc/keys\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nMaxStartups 3000\nPerSourcePenalties no\nPidFile none\nLogLevel ERROR\n",
    }
    for name, text in files.items():
        (TREE / "etc" / name).write_text(text)
    words = ["chroot", str(TREE), "/usr/sbin/sshd", "-D", "-e", "-f", "/etc/sshd_config"]
    with (temp / "sshd.log").open("w") as log, subprocess.Popen(words, stderr=log) as process:
        try:
            until_listening("127.0.0.1", 22)
            yield process.pid, " ".join((TREE / "etc" / "host.pub").read_text().split()[:2])
        finally:
            process.terminate()


def until_listening(address: str, port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection((address, port), timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def cpu_of_children(pid: int) -> float:
    """Milliseconds of CPU of the children of a process that have ended (proc_pid_stat(5))."""
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK") * 1000


def measure_logins(fleet: bed.Fleet, temp: Path, counts: Sequence[int], python: Path, report: bed.Report) -> None:
    login = subprocess.run(["ssh-keygen", "-y", "-f", fleet.key()], check=True, capture_output=True, text=True).stdout.strip()
    with sshd(temp, login) as (server, host_key):
        for count in counts:
            addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]
            environment = fleet.of(temp / f"logins-{count}.sqlite", addresses, host_key)
            folder = temp / f"logins-{count}"
            hosts = Hosts(fleet.program, environment, addresses, fleet.key(), host_key, folder, python)
            report_logins(hosts, server, count == counts[-1], report)


def report_logins(hosts: Hosts, server: int, is_judged: bool, report: bed.Report) -> None:
    count = len(hosts.addresses)
    own, peers, spent = Runs(count), {name: Runs(count) for name in hosts.peers()}, []
    for round in range(ROUNDS):
        before = cpu_of_children(server)
        own.runs.append(hosts.run(hosts.ours()))
        spent.append((cpu_of_children(server) - before) / count)
        for name, words in hosts.peers().items():
            if round == 0 or not (is_judged and name in SLOW):
                peers[name].runs.append(hosts.run(words))
    walls, cpus = ({name: getattr(runs, what)() for name, runs in peers.items()} for what in ["walls", "cpus"])
    add = row_beside(report, is_judged)
    what = f"{count} logins on one real sshd, wall time, s; sshd's own CPU for each of ours, ms: {bed.spread(spent, 0)}"
    add(what, own.walls(), walls, 1.0, "the fastest peer's")
    add(f"{count} logins, the client's CPU, ms a host", own.cpus(), cpus, 0.5, "half the next best peer's")
    peaks = {name: runs.peaks() for name, runs in peers.items()}
    what = f"{count} logins, peak of memory, MB (of those with many processes: the largest)"
    report.add(what, bed.spread(own.peaks(), 0), bed.beside(peaks, 0), runs=ROUNDS, ratio=bed.ratio(own.peaks(), peaks))


def row_beside(report: bed.Report, is_judged: bool) -> Callable[[str, list[float], dict[str, list[float]], float, str], None]:
    """Rows that are judged by the best peer."""

    def add(what: str, own: list[float], peers: dict[str, list[float]], part: float, limit: str) -> None:
        best = part * min(statistics.median(values) for values in peers.values())
        holds = not is_judged or statistics.median(own) <= best
        limit = f"<= {best:.2f}, {limit}" if is_judged else ""
        report.add(what, bed.spread(own), bed.beside(peers), limit, holds, runs=len(own), ratio=bed.ratio(own, peers))

    return add


# Scripted hosts.


def make_hosts(environment: dict[str, str], temp: Path, count: int) -> tuple[list[str], str]:
    """So many scripted hosts beside the first one, all with one host key, as plain as a host can be: SSH alone; their addresses
    and that key. A deploy would make them, too, in minutes."""
    key = temp / "host"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    injected = "".join(f"    {line}\n" for line in key.read_text().splitlines())
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    user_data = f"#cloud-config\nssh_keys:\n  ed25519_private: |\n{injected}  ed25519_public: {public}\n"
    api = bed.Api(environment)
    login = api.call("GET", "/ssh_keys")["ssh_keys"][0]["id"]
    wish = {"server_type": "cx23", "image": "debian-13", "ssh_keys": [login], "user_data": user_data}
    addresses = []
    there = api.servers()
    for number in range(count):
        made = api.call("POST", "/servers", {**wish, "name": f"host-{there + number}"})
        addresses.append(made["server"]["public_net"]["ipv4"]["ip"])
    for address in addresses:
        until_listening(address, 22)
    return addresses, public


def measure_scripted(fleet: bed.Fleet, temp: Path, counts: Sequence[int], python: Path, report: bed.Report) -> None:
    addresses: list[str] = []
    for count in counts:
        more, host_key = make_hosts(fleet.environment, temp, count - len(addresses))
        addresses += more
        environment = fleet.of(temp / f"scripted-{count}.sqlite", addresses, host_key)
        hosts = Hosts(fleet.program, environment, addresses, fleet.key(), host_key, temp / f"scripted-{count}", python)
        some = Hosts(fleet.program, environment, addresses[:SOME], fleet.key(), host_key, temp / f"some-{count}", python)
        own, openssh, spent = Runs(count), Runs(SOME), []
        for _ in range(ROUNDS):
            before = bed.lab_cpu(temp)
            own.runs.append(hosts.run(hosts.ours()))
            spent.append((bed.lab_cpu(temp) - before) * 1000 / count)
            openssh.runs.append(some.run(some.openssh()))
        report_scripted(own, openssh, spent, report)


def report_scripted(own: Runs, openssh: Runs, spent: list[float], report: bed.Report) -> None:
    is_judged, name = own.hosts == SCRIPTED, f"OpenSSH, xargs -P64, {SOME} hosts"

    def add(what: str, values: list[float], peers: dict[str, list[float]], limit: float, ratio: str) -> None:
        holds = not is_judged or statistics.median(values) <= limit
        wanted = f"<= {limit:g}" if is_judged else ""
        report.add(what, bed.spread(values), bed.beside(peers), wanted, holds, runs=ROUNDS, ratio=ratio)

    what = f"{own.hosts} scripted hosts, wall time, s; their own CPU on the same cores, ms a host: {bed.spread(spent)}"
    each = [wall / own.hosts for wall in own.walls()]
    add(what, own.walls(), {name: openssh.walls()}, SECONDS, bed.ratio(each, {name: [wall / SOME for wall in openssh.walls()]}))
    cpus = {name: openssh.cpus()}
    add(f"{own.hosts} scripted hosts, the client's CPU, ms a host", own.cpus(), cpus, MILLISECONDS, bed.ratio(own.cpus(), cpus))
    add(f"{own.hosts} scripted hosts, the client's peak of memory, MB", own.peaks(), {}, MEGABYTES, "–")


# Hosts that say nothing.


def measure_holes(fleet: bed.Fleet, temp: Path, count: int, python: Path, report: bed.Report) -> None:
    addresses, host_key = make_hosts(fleet.environment, temp, count)
    environment = fleet.of(temp / "holes.sqlite", addresses, host_key)
    hosts = Hosts(fleet.program, environment, addresses, fleet.key(), host_key, temp / "holes", python)
    some = Hosts(fleet.program, environment, addresses[:SOME], fleet.key(), host_key, temp / "some", python, int(CONNECT))
    swallowed = addresses[50::100]
    without, own, openssh = Runs(count), Runs(count), Runs(SOME)
    for _ in range(HOLES):
        without.runs.append(hosts.run(hosts.ours()))
        with black_holes(swallowed):
            own.runs.append(hosts.run(hosts.ours(), (1,)))
            answers = json.loads((hosts.folder / "answer").read_text())["instances"]
            assert sum("error" in answer for answer in answers) == len(swallowed), "not those that say nothing failed"
            openssh.runs.append(some.run(some.openssh(some_fail=True), (123,)))
    limit = CONNECT + statistics.median(without.walls())
    holds = statistics.median(own.walls()) <= limit
    what = f"{len(swallowed)} of {count} hosts swallow packets, wall time, s; without them {bed.spread(without.walls())}"
    peer = {f"OpenSSH, xargs -P64, 1 of {SOME} hosts, ConnectTimeout={CONNECT:.0f}": openssh.walls()}
    limit_text = f"<= {limit:.1f}: one connect time-out and the rest"
    report.add(what, bed.spread(own.walls()), bed.beside(peer), limit_text, holds, runs=HOLES, ratio=bed.ratio(own.walls(), peer))


@contextmanager
def black_holes(addresses: Sequence[str]) -> Iterator[None]:
    """Addresses that neither answer nor refuse, in this script's own network."""
    rule = f"ip daddr {{ {', '.join(addresses)} }} drop"
    rules = f"table inet holes {{\n chain input {{\n type filter hook input priority 0\n {rule}\n }}\n}}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, check=True, text=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "holes"], check=True)


def measure(program: str, options: argparse.Namespace, python: Path, temp: Path, report: bed.Report) -> None:
    counts = [options.hosts] if options.hosts else [SCRIPTED, 3 * SCRIPTED]
    for part in [options.only] if options.only else ["logins", "scripted", "holes"]:
        folder = temp / part
        folder.mkdir()
        with bed.lab(program, folder) as environment:
            bed.deploy(program, environment, 1)
            fleet = bed.Fleet(program, environment)
            if part == "scripted":
                measure_scripted(fleet, folder, counts, python, report)
            elif part == "holes":
                measure_holes(fleet, folder, counts[0], python, report)
        if part == "logins":
            # with the lab down, port 22 of all addresses is free
            measure_logins(fleet, folder, [int(count) for count in options.logins.split(",")], python, report)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--only", choices=["logins", "scripted", "holes"])
    arguments.add_argument("--logins", default="100,500")
    arguments.add_argument("--hosts", type=int)
    options = arguments.parse_args()
    python = bed.clients()
    enter_network()
    program = str(Path(options.program).resolve())
    return bed.run_bench("fanout", lambda temp, report: measure(program, options, python, temp, report))


if __name__ == "__main__":
    sys.exit(main())
