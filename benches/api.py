#!/usr/bin/python3
"""Measures what it costs to make servers and to remove them: requests to the API, counted in the lab's log of requests, and time.

Usage: benches/api.py PROGRAM [--only servers|slow|thousand] [--counts N,N]

- servers: 1, 10 and 50 servers where Hetzner takes 8 s for a create, 2 s for a start and 3 s for a delete, beside the hcloud CLI
  (two releases), Python's hcloud and Ansible's collection, which make the same: servers with a firewall, a key, labels and user
  data, all of them side by side;
- slow: 50 where a create takes 60 s, all clients at the same time, each in a cloud of its own: only the requests count;
- thousand: 1,000 in one command of ours, with the limit of 3,600 requests an hour in force.

Ours goes on until the gateway serves, as seen from outside; the peers are done with the server. Prints a table, leaves it in
target/bench-api.md, and exits with 1 where a limit does not hold.
"""

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import bed

COUNTS = [1, 10, 50]
# Counts are all but the same each time, and time is mostly the lab's: a round for each number, and one more where it is cheap.
ROUNDS = {1: 2, 10: 2, 50: 1}
THOUSAND, THOUSAND_AT_MOST = 1_000, 1_100
CREATE, SLOW_CREATE, DELETE = 1.1, 1.3, 1.1
OURS = "clawberth"
# Of src/hcloud/bucket.rs: what a project has an hour, and what is kept from creates.
HOURLY, RESERVE = 3600.0, 180.0
# Seconds of waiting for the bucket after which a command has shown that it has to.
PATIENCE = 10.0
# Older clients die without what the API had then.
OLD = ("--api-date", "2026-06")
PEERS = Path(__file__).resolve().parent / "peers"


@dataclass
class Client:
    """How servers are made and removed; `create` and `delete` are replaced in its words by what is to be done."""

    name: str
    words: list[str]
    profile: tuple[str, ...] = ()

    def command(self, verb: str, folder: Path, names: Sequence[str]) -> list[str]:
        if self.name == OURS:
            wanted = ["deploy", *names] if verb == "create" else ["destroy", "--all"]
            return [*self.words, *wanted, "--yes", "--quiet"]
        return [word.format(verb=verb, folder=folder, names=",".join(names)) for word in self.words]


def clients(program: str, python: Path) -> list[Client]:
    script = ["sh", str(PEERS / "hcloud.sh"), "{verb}"]
    sdk = [f"{python}/bin/python", str(PEERS / "hcloud_python.py"), "{verb}", "{folder}/wish"]
    playbook = [f"{python}/bin/ansible-playbook", "-f", "50", "-i", "{names},", "-e", "wish={folder}/wish"]
    playbook += ["-e", f"ansible_python_interpreter={python}/bin/python", str(PEERS / "{verb}.yml")]
    old, new = bed.HCLOUD.items()
    return [
        Client(OURS, [program]),
        Client(old[0], [*script, str(old[1]), "{folder}"], OLD),
        Client(new[0], [*script, str(new[1]), "{folder}"]),
        Client("Python hcloud", [*sdk, "each"]),
        Client("Python hcloud, all sent first", [*sdk, "after"]),
        Client("Ansible hetzner.hcloud", playbook, OLD),
    ]


def wish(folder: Path, names: Sequence[str]) -> None:
    """What the peers are to make, as files: what ours makes, with user data of the same length."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True)
    ports = {"443": ["0.0.0.0/0", "::/0"], "22": ["127.0.0.0/8"]}
    rules = [{"direction": "in", "protocol": "tcp", "port": port, "source_ips": ips} for port, ips in ports.items()]
    files = {
        "common": "bench",
        "names": "\n".join(names),
        "rules.json": json.dumps(rules),
        "type": "cx23",
        "image": "debian-13",
        "location": "fsn1",
        "label": "for=bench",
        "user-data": "#cloud-config\n# " + "x" * 16_000 + "\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    wished = {
        "common": "bench",
        "public_key": (folder / "key.pub").read_text().strip(),
        "rules": rules,
        "names": list(names),
        "server_type": files["type"],
        "image": files["image"],
        "location": files["location"],
        "labels": {"for": "bench"},
        "user_data": files["user-data"],
    }
    (folder / "wish").write_text(json.dumps(wished))


@dataclass
class Cost:
    """What one client took to create and to delete, each run of a number of servers."""

    requests: dict[str, list[float]] = field(default_factory=lambda: collections.defaultdict(list))
    walls: dict[str, list[float]] = field(default_factory=lambda: collections.defaultdict(list))
    cpus: dict[str, list[float]] = field(default_factory=lambda: collections.defaultdict(list))

    def measure(self, client: Client, count: int, temp: Path, environment: dict[str, str]) -> None:
        names = [f"user-{number:04}" for number in range(count)]
        folder = temp / "wish"
        wish(folder, names)
        # everybody begins with nothing
        fleet = temp / f"fleet-{count}-{len(self.walls['create'])}.sqlite"
        environment = {**environment, "CLAWBERTH_STATE": str(fleet)}
        for verb in ["create", "delete"]:
            since = len(bed.entries(temp))
            run = bed.run_measured(client.command(verb, folder, names), environment, folder / "answer")
            there = bed.Api(environment).servers()
            # a delete of the older CLI does not wait until it is done
            assert there == (count if verb == "create" else 0), f"{client.name}, {verb}: {there} servers"
            # the last one was that look
            self.requests[verb].append(len(bed.entries(temp, since)) - 1)
            self.walls[verb].append(run.wall / 1000)
            self.cpus[verb].append(run.cpu / 1000)


def peers_environment(environment: dict[str, str], python: Path) -> dict[str, str]:
    return {
        **environment,
        "PATH": f"{python}/bin:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": f"{python}/collections",
        "ANSIBLE_PIPELINING": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
    }


def split(costs: dict[str, Cost], what: str, verb: str) -> tuple[list[float], dict[str, list[float]]]:
    """Of ours and of the peers."""
    values = {name: getattr(cost, what)[verb] for name, cost in costs.items()}
    return values.pop(OURS), values


def measure_servers(all_clients: Sequence[Client], counts: Sequence[int], python: Path, temp: Path, report: bed.Report) -> None:
    with ExitStack() as stack:
        places = {}
        for profile in [(), OLD]:
            folder = temp / f"profile-{len(places)}"
            folder.mkdir()
            environment = stack.enter_context(bed.lab(all_clients[0].words[0], folder, profile, ("--speed", "real")))
            places[profile] = (folder, peers_environment(environment, python))
        for count in counts:
            costs = {client.name: Cost() for client in all_clients}
            for _ in range(ROUNDS.get(count, 1)):
                for client in all_clients:
                    costs[client.name].measure(client, count, *places[client.profile])
            report_servers(costs, count, report)


def report_servers(costs: dict[str, Cost], count: int, report: bed.Report) -> None:
    servers = f"{count} server{'s' if count > 1 else ''}"
    for verb, takes, limit in [("create", "8 s", CREATE), ("delete", "3 s", DELETE)]:
        report_requests(f"to {verb} {servers}, {takes} each", costs, verb, count, limit if count == COUNTS[-1] else None, report)
        for what, unit in [("walls", "wall time"), ("cpus", "the client's CPU")]:
            own, peers = split(costs, what, verb)
            text = f"to {verb} {servers}: {unit}, s"
            report.add(text, bed.spread(own, 1), bed.beside(peers, 1), runs=len(own), ratio=bed.ratio(own, peers))


def report_requests(what: str, costs: dict[str, Cost], verb: str, count: int, limit: float | None, report: bed.Report) -> None:
    own, peers = split(costs, "requests", verb)
    own, peers = [value / count for value in own], {name: [value / count for value in values] for name, values in peers.items()}
    holds = limit is None or statistics.median(own) <= limit
    wanted = "" if limit is None else f"<= {limit}"
    what = f"requests for each server {what}"
    report.add(what, bed.spread(own, 1), bed.beside(peers, 1), wanted, holds, runs=len(own), ratio=bed.ratio(own, peers))


def measure_slow(all_clients: Sequence[Client], count: int, python: Path, temp: Path, report: bed.Report) -> None:
    """Ansible is left out: its processes take both cores for as long as a create takes."""
    program, delays = all_clients[0].words[0], temp / "delays.toml"
    delays.write_text('other = "1s"\n[commands]\ncreate_server = "60s"\nstart_server = "2s"\ndelete_server = "3s"\n')
    chosen = [client for client in all_clients if "Ansible" not in client.name]
    costs = {client.name: Cost() for client in chosen}

    def work(number: int, client: Client) -> None:
        folder = temp / f"slow-{number}"
        folder.mkdir()
        with bed.lab(program, folder, client.profile, ("--delays", str(delays))) as environment:
            costs[client.name].measure(client, count, folder, peers_environment(environment, python))

    with ThreadPoolExecutor(len(chosen)) as pool:
        list(pool.map(work, range(len(chosen)), chosen))
    report_requests(f"to create {count} servers, 60 s each", costs, "create", count, SLOW_CREATE, report)
    report_requests(f"to delete {count} servers, side by side with others", costs, "delete", count, None, report)


# With the limit in force.


def dry_since(entries: Sequence[dict[str, object]]) -> float | None:
    """Seconds from the moment when only the reserve was left of the bucket, so that creates wait, to the last request: an upper
    bound, since what is no create goes on."""
    times = [datetime.fromisoformat(str(entry["time"])).timestamp() for entry in entries]
    level, at, dry = HOURLY, times[0] if times else 0.0, None
    for moment in times:
        level, at = min(level + (moment - at) * HOURLY / 3600, HOURLY) - 1, moment
        if level <= RESERVE and dry is None:
            dry = moment
    return None if dry is None else at - dry


def measure_thousand(program: str, count: int, temp: Path, report: bed.Report) -> None:
    """Who has used up the bucket is stopped: what is left would take as many seconds as it needs requests."""
    with bed.lab(program, temp, (), ("--speed", "real"), str(int(HOURLY))) as environment:
        names = [f"user-{number:04}" for number in range(count)]
        begun = time.perf_counter()
        words = [program, "deploy", "--yes", "--quiet", *names]
        waited = None
        with (temp / "answer").open("w") as file, subprocess.Popen(words, stdout=file, env=environment) as process:
            with bed.ended_with_us(process):
                while process.poll() is None and (waited or 0) < PATIENCE:
                    time.sleep(1)
                    waited = dry_since(bed.entries(temp))
            is_done = process.poll() is not None
            process.kill()
        took = time.perf_counter() - begun
        assert not is_done or process.returncode == 0, f"the deploy ended with {process.returncode}"
        asked = bed.requests(temp, 0)
        waited = dry_since(bed.entries(temp))
    total, made = sum(asked.values()), asked["POST /v1/servers"]
    counts = ", ".join(f"{route} {number}" for route, number in asked.most_common(6))
    end = "" if is_done else f"; stopped there, with {made} of {count} creates sent"
    what = f"requests to create {count} servers in one project, 3,600 an hour"
    report.add(what, f"{total}{end}", counts, f"<= {THOUSAND_AT_MOST}", is_done and total <= THOUSAND_AT_MOST)
    report.add("the same: waiting for the bucket, s", f"{waited or 0:.0f}{end}", "–", "<= 0", not waited)
    report.add("the same: wall time, s", f"{took:.0f}{end}", "–")


def measure(program: str, options: argparse.Namespace, temp: Path, report: bed.Report) -> None:
    python = bed.clients()
    all_clients = clients(program, python)
    counts = [int(count) for count in options.counts.split(",")]
    for part in [options.only] if options.only else ["servers", "slow", "thousand"]:
        folder = temp / part
        folder.mkdir()
        if part == "servers":
            measure_servers(all_clients, counts, python, folder, report)
        elif part == "slow":
            measure_slow(all_clients, counts[-1], python, folder, report)
        else:
            measure_thousand(program, THOUSAND, folder, report)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--only", choices=["servers", "slow", "thousand"])
    arguments.add_argument("--counts", default=",".join(map(str, COUNTS)))
    options = arguments.parse_args()
    program = str(Path(options.program).resolve())
    return bed.run_bench("api", lambda temp, report: measure(program, options, temp, report))


if __name__ == "__main__":
    sys.exit(main())
