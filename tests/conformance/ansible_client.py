"""Ansible's collection hetzner.hcloud: every playbook in `playbooks/`, task by task.

A task whose name ends with ` again` must change nothing, an `_info` neither, and every other one something.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .keys import public_key
from .report import OK, Row, failed, skipped
from .stage import Stage

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


def play(stage: Stage) -> list[Row]:
    """Runs all playbooks; a row for each task and for each module that is left out."""
    stage.home.mkdir()
    files = [str(path) for path in sorted(PLAYBOOKS.glob("*.yml"))]
    interpreter = f"ansible_python_interpreter={sys.executable}"
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", interpreter, *files]
    done = subprocess.run(
        command, env=_environment(stage), capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    written = stage.home / "rows"
    if done.returncode != 0 or not written.exists():
        return [failed(stage.client, "ansible-playbook", done.stderr or done.stdout)]
    tasks = [json.loads(line) for line in written.read_text().splitlines()]
    return [_row(stage.client, task) for task in tasks] + list(_left_out(stage, tasks))


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


def _left_out(stage: Stage, tasks: list[dict[str, Any]]) -> Iterator[Row]:
    used = {task["module"].rpartition(".")[2] for task in tasks}
    folder = stage.tools.collections / "ansible_collections" / "hetzner" / "hcloud" / "plugins" / "modules"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    for module in sorted(modules - used):
        if reason := SKIPS.get(module):
            yield skipped(stage.client, module, reason)
        else:
            yield failed(stage.client, module, "not run, and no reason given")
    for module in sorted(SKIPS.keys() - (modules - used)):
        yield failed(stage.client, module, "listed as skipped, but it runs or does not exist")


def _environment(stage: Stage) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(stage.home),
        "LC_ALL": "C.UTF-8",
        # nothing is written beside the sources
        "PYTHONDONTWRITEBYTECODE": "1",
        "HCLOUD_ENDPOINT": stage.endpoint,
        "HCLOUD_TOKEN": stage.token,
        "ANSIBLE_COLLECTIONS_PATH": str(stage.tools.collections),
        "ANSIBLE_CALLBACK_PLUGINS": str(PLAYBOOKS / "callbacks"),
        "ANSIBLE_STDOUT_CALLBACK": "rows",
        "ANSIBLE_PIPELINING": "1",
        "CONFORMANCE_ROWS": str(stage.home / "rows"),
        "CONFORMANCE_KEY": public_key("ansible"),
    }
