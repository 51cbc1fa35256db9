#!/usr/bin/env python3
"""Measures the lab's API beside nginx, which answers the same bytes from a file: as fast as HTTP gets here; and
what scripted hosts take.

Usage: benches/lab_api.py PROGRAM [--seconds N]

Counts and CPU time can be relied on, wall time only as a ratio to nginx in the same run. Prints a table, leaves it in
target/bench-lab_api.md, and exits with 1 where one of the limits of docs/lab.md does not hold.
"""

import argparse
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bed import Report, ratio, run_bench, spread

SERVERS = 10_000
HOSTS = 1_000
ROUNDS = 3
CONNECTIONS = 8


@dataclass
class Lab:
    process: subprocess.Popen[bytes]
    port: int
    token: str

    def get(self, connection: http.client.HTTPConnection, path: str) -> bytes:
        connection.request("GET", f"/v1{path}", headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:200])
        return body

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MB that are resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) / 1024


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def until_answered(port: int, path: str, headers: dict[str, str]) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path, headers=headers)
            connection.getresponse().read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)


def record(directory: Path, process: subprocess.Popen[bytes]) -> dict[str, object]:
    """What the lab wrote down about itself; its port is the last it learns."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            found = json.loads((directory / "lab.json").read_text())
            if found["port"] and (directory / "ready").exists():
                return found
        except (FileNotFoundError, json.JSONDecodeError):
            pass
        time.sleep(0.001)
    sys.exit("the lab did not start")


def start_lab(program: str, directory: Path, kind: tuple[str, ...] = ("api",)) -> Lab:
    words = [program, "lab", *kind, "--dir", str(directory), "--speed", "none", "--rate-limit", "none"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    found = record(directory, process)
    token = found["projects"][0]["token"]
    until_answered(int(found["port"]), "/v1/locations", {"Authorization": f"Bearer {token}"})
    return Lab(process, int(found["port"]), token)


def start_nginx(directory: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A static server with one worker, as plain as it goes."""
    port = 18_000 + os.getpid() % 2_000
    (directory / "nginx.conf").write_text(
        f"""worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; default_type application/json; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; root {directory}/www; }}
}}
"""
    )
    (directory / "www").mkdir(exist_ok=True)
    directory.chmod(0o755)
    process = subprocess.Popen(["nginx", "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")])
    until_answered(port, "/", {})
    return process, port


def wrk(url: str, token: str, seconds: int, script: Path | None = None) -> float:
    """Requests a second; an answer that is no success ends everything."""
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Authorization: Bearer {token}"]
    words += ["-s", str(script)] if script else []
    output = subprocess.run([*words, url], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in output and "Socket errors" not in output, output
    match = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert match is not None, output
    return float(match[1])


def nginx_of(values: list[float]) -> str:
    return f"nginx: {spread(values, 0)}"


def measure_start(program: str, temp: Path, report: Report) -> None:
    times, peer = [], []
    for round in range(10):
        directory = temp / f"start-{round}"
        begun = time.monotonic()
        lab = start_lab(program, directory)
        times.append((time.monotonic() - begun) * 1000)
        with ended(lab.process):
            pass
        begun = time.monotonic()
        nginx, _ = start_nginx(temp)
        peer.append((time.monotonic() - begun) * 1000)
        with ended(nginx):
            pass
    holds, part = statistics.median(times) < 100, ratio(times, {"nginx": peer})
    report.add("start to first answer, ms", spread(times, 0), nginx_of(peer), "< 100", holds, runs=len(times), ratio=part)


def measure_creates(lab: Lab, temp: Path, seconds: int, report: Report) -> None:
    script = temp / "create.lua"
    script.write_text(
        """local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  n = n + 1
  local body = '{"name":"s' .. n .. '","server_type":"cx23","image":"debian-13","labels":{"fleet":"bench"}}'
  return wrk.format(nil, nil, nil, body)
end
"""
    )
    cpu, begun = lab.cpu(), time.monotonic()
    rate = wrk(f"http://127.0.0.1:{lab.port}/v1/servers", lab.token, seconds, script)
    each = (lab.cpu() - cpu) / (rate * (time.monotonic() - begun)) * 1000
    report.add("creates a second", f"{rate:.0f} ({each:.2f} ms CPU each)", "–", ">= 500", rate >= 500)


def fill(lab: Lab) -> int:
    """Makes servers until there are so many; the id of the last."""
    connection = lab.connect()
    there = json.loads(lab.get(connection, "/servers?per_page=1"))["meta"]["pagination"]["total_entries"]
    last = 0
    for n in range(there, SERVERS):
        body = json.dumps({"name": f"f{n}", "server_type": "cx23", "image": "debian-13", "start_after_create": False})
        connection.request("POST", "/v1/servers", body, {"Authorization": f"Bearer {lab.token}"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 201, text[:300]
        last = json.loads(text)["server"]["id"]
    return last


def measure_gets(lab: Lab, temp: Path, server: int, seconds: int, report: Report) -> None:
    nginx, port = start_nginx(temp)
    with ended(nginx):
        for path in [f"/servers/{server}", f"/actions?id={500_001}", "/servers?name=f9999", "/servers?per_page=1"]:
            body = lab.get(lab.connect(), path)
            (temp / "www" / "body").write_bytes(body)
            own, peer = [], []
            cpu, answered = lab.cpu(), 0.0
            for _ in range(ROUNDS):
                rate = wrk(f"http://127.0.0.1:{lab.port}/v1{path}", lab.token, seconds)
                own.append(rate)
                answered += rate * seconds
                peer.append(wrk(f"http://127.0.0.1:{port}/body", lab.token, seconds))
            each = (lab.cpu() - cpu) / answered * 1e6
            name = re.sub(r"\d{3,}", "N", path)
            measured = f"{spread(own, 0)} ({each:.0f} µs CPU each)"
            what = f"GET {name} a second, {len(body)} bytes"
            faster = f"{statistics.median(own) / statistics.median(peer):.2f}"
            report.add(what, measured, nginx_of(peer), ">= 3000", max(own) >= 3000, runs=ROUNDS, ratio=faster)


def measure_pages(lab: Lab, report: Report) -> None:
    connection, times = lab.connect(), []
    cpu, seen = lab.cpu(), 0
    for page in range(1, SERVERS // 50 + 1):
        begun = time.monotonic()
        body = lab.get(connection, f"/servers?per_page=50&page={page}&sort=name:desc")
        times.append((time.monotonic() - begun) * 1000)
        seen += len(json.loads(body)["servers"])
    assert seen == SERVERS, seen
    each = (lab.cpu() - cpu) / len(times) * 1000
    median = statistics.median(times)
    measured = f"{spread(times, 1)} ({each:.1f} ms CPU)"
    report.add(f"a page of 50 of {SERVERS}, sorted, ms", measured, "–", "<= 5", median <= 5, runs=len(times))


def measure_scripted(lab: Lab, report: Report) -> None:
    """Hosts that have set themselves up, each with its SSH and its HTTPS listener."""
    user_data = """#cloud-config
write_files:
  - path: /usr/local/lib/clawberth/setup
    content: |
      openclaw=2026.9.6
"""
    connection, address = lab.connect(), ""
    cpu = lab.cpu()
    for n in range(HOSTS):
        wish = {"name": f"h{n}", "server_type": "cx23", "image": "debian-13", "user_data": user_data}
        connection.request("POST", "/v1/servers", json.dumps(wish), {"Authorization": f"Bearer {lab.token}"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 201, text[:300]
        address = json.loads(text)["server"]["public_net"]["ipv4"]["ip"]
    until_listening(address, 443)
    each = (lab.cpu() - cpu) / HOSTS * 1000
    memory = lab.memory()
    report.add(f"MB with {HOSTS} scripted hosts", f"{memory:.0f} ({each:.0f} ms CPU each)", "–", "<= 500", memory <= 500)


def until_listening(address: str, port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection((address, port), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def measure(program: str, seconds: int, temp: Path, report: Report) -> None:
    measure_start(program, temp, report)
    creating = start_lab(program, temp / "creates")
    with ended(creating.process):
        measure_creates(creating, temp, seconds, report)
    lab = start_lab(program, temp / "lab")
    with ended(lab.process):
        server = fill(lab)
        memory = lab.memory()
        report.add(f"MB with {SERVERS} servers", f"{memory:.0f}", "–", "< 100", memory < 100)
        measure_gets(lab, temp, server, seconds, report)
        measure_pages(lab, report)
        memory = lab.memory()
        report.add("MB after all that", f"{memory:.0f}", "–", "< 100", memory < 100)
    scripted = start_lab(program, temp / "scripted", ("up", "--machines", "scripted"))
    with ended(scripted.process):
        measure_scripted(scripted, report)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--seconds", type=int, default=4)
    options = arguments.parse_args()
    return run_bench("lab_api", lambda temp, report: measure(options.program, options.seconds, temp, report))


if __name__ == "__main__":
    sys.exit(main())
