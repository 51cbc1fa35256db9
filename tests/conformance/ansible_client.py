"""Ansible's collection hetzner.hcloud: every playbook in `playbooks/`, task by task.

A task whose name ends with ` again` must change nothing, an `_info` neither, and every other one something.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .keys import public_key
from .report import OK, Row, failed, skipped

PLAYBOOKS = Path(__file__).with_name("playbooks")
DEADLINE = 300
"""Seconds for all playbooks: each task starts a Python, which takes half a second."""

NOT_EMULATED = "the lab does not emulate {}; their list is empty, and that is checked"
SKIPS = {
    "certificate": NOT_EMULATED.format("certificates"),
    "floating_ip": NOT_EMULATED.format("floating IPs"),
    "load_balancer": NOT_EMULATED.format("load balancers"),
    "load_balancer_network": NOT_EMULATED.format("load balancers"),
    "load_balancer_service": NOT_EMULATED.format("load balancers"),
    "load_balancer_target": NOT_EMULATED.format("load balancers"),
}


def play(name: str, collections: Path, home: Path, endpoint: str, token: str) -> list[Row]:
    """Runs all playbooks and the inventory; a row for each task and for each module that is left out."""
    home.mkdir()
    environment = _environment(collections, home, endpoint, token)
    files = [str(path) for path in sorted(PLAYBOOKS.glob("*.yml"))]
    interpreter = f"ansible_python_interpreter={sys.executable}"
    done = _call(["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", interpreter, *files], environment)
    tasks = [json.loads(line) for line in (home / "rows").read_text().splitlines()] if done.returncode == 0 else []
    if not tasks:
        return [failed(name, "ansible-playbook", done.stderr or done.stdout)]
    rows = [_row(name, task) for task in tasks]
    return rows + list(_left_out(name, collections, tasks))


def _row(name: str, task: dict[str, Any]) -> Row:
    collection, _, module = task["module"].rpartition(".")
    ours = collection == "hetzner.hcloud"
    operation = f"{module if ours else task['play']}: {task['task']}"
    if task["failed"]:
        return failed(name, operation, task["message"])
    wanted = not (module.endswith("_info") or task["task"].endswith(" again"))
    if ours and task["changed"] != wanted:
        return failed(name, operation, "changed nothing" if wanted else "changed something, and should not")
    return Row(name, operation, OK)


def _left_out(name: str, collections: Path, tasks: list[dict[str, Any]]) -> Iterator[Row]:
    used = {task["module"].rpartition(".")[2] for task in tasks}
    folder = collections / "ansible_collections" / "hetzner" / "hcloud" / "plugins" / "modules"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    for module in sorted(modules - used):
        reason = SKIPS.get(module)
        yield skipped(name, module, reason) if reason else failed(name, module, "not run, and no reason given")
    for module in sorted(SKIPS.keys() - (modules - used)):
        yield failed(name, module, "listed as skipped, but it runs or does not exist")


def _environment(collections: Path, home: Path, endpoint: str, token: str) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "HCLOUD_ENDPOINT": endpoint,
        "HCLOUD_TOKEN": token,
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CALLBACK_PLUGINS": str(PLAYBOOKS / "callbacks"),
        "ANSIBLE_STDOUT_CALLBACK": "rows",
        "ANSIBLE_PIPELINING": "1",
        "CONFORMANCE_ROWS": str(home / "rows"),
        "CONFORMANCE_KEY": public_key("ansible"),
    }


def _call(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{shlex.join(command)} was not done after {DEADLINE} s") from error
