"""Schemathesis over the OpenAPI document: no 5xx, no crash, no shape that is not documented."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .api import Api
from .coverage import endpoints
from .document import Document
from .report import OK, Row, failed, failures, skipped
from .seeds import Seeds, sow
from .stage import Stage

NAME = "schemathesis"
EXAMPLES = 40
"""Random cases for each operation, beside those that the document's limits suggest."""
SEED = 20261101
DEADLINE = 420
"""Seconds for all; it takes two minutes on two cores."""

NOT_EMULATED = ("certificates", "floating_ips", "isos", "load_balancers", "load_balancer_types")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)


def play(stage: Stage, document: Document) -> list[Row]:
    """A row for each operation that the lab has, and for each group that it does not have."""
    home = stage.home
    home.mkdir()
    api = Api(stage.endpoint, stage.token)
    spec, config, report = home / "spec.json", home / "schemathesis.toml", home / "junit.xml"
    spec.write_text(json.dumps(reduced(document.content)))
    config.write_text(_config(stage.token, sow(api)))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run", str(spec)]
    options = ["--url", stage.endpoint, "--report", "junit", "--report-junit-path", str(report)]
    done = subprocess.run(command + options, capture_output=True, text=True, timeout=DEADLINE, cwd=home, check=False)
    rows = list(_rows(report)) if report.exists() else []
    if done.returncode != 0 and not failures(rows):
        rows.append(failed(NAME, "the whole run", (done.stderr or done.stdout)[-300:]))
    return [*rows, *_left_out(document.content), _alive(api)]


def reduced(content: dict[str, Any]) -> dict[str, Any]:
    """The document with the endpoints alone that the lab plays."""
    known = set(endpoints())
    paths = {
        path: {key: value for key, value in item.items() if key == "parameters" or (key.upper(), path) in known}
        for path, item in content["paths"].items()
    }
    return {**content, "paths": {path: item for path, item in paths.items() if item.keys() - {"parameters"}}}


def _rows(report: Path) -> Iterator[Row]:
    tested = set()
    for case in ElementTree.parse(report).iter("testcase"):
        name = str(case.get("name"))
        tested.add(name)
        troubles = [str(part.get("message")) for part in (*case.findall("failure"), *case.findall("error"))]
        yield failed(NAME, name, "; ".join(troubles)) if troubles else Row(NAME, name, OK)
    for method, path in endpoints():
        if f"{method} {path}" not in tested:
            yield failed(NAME, f"{method} {path}", "not tested")


def _left_out(content: dict[str, Any]) -> Iterator[Row]:
    known = set(endpoints())
    left = Counter(
        path.split("/")[1]
        for path, item in content["paths"].items()
        for method in item
        if method != "parameters" and (method.upper(), path) not in known
    )
    for group, count in sorted(left.items()):
        name = f"/{group} ({count} operations)"
        emulated = group not in NOT_EMULATED
        yield (
            failed(NAME, name, "in the document, and not tested")
            if emulated
            else skipped(NAME, name, "not emulated, but for empty lists")
        )


def _alive(api: Api) -> Row:
    """The lab still answers after all that."""
    try:
        api.ask("GET", "/servers")
    except (OSError, AssertionError) as error:
        return failed(NAME, "the lab lives on", str(error))
    return Row(NAME, "the lab lives on", OK)


def _config(token: str, seeds: Seeds) -> str:
    """The fuzzer's configuration: bounded, repeatable, and with the ids of what there is."""
    lines = [
        f"seed = {SEED}",
        "continue-on-failure = true",
        f'headers = {{ Authorization = "Bearer {token}" }}',
        f"generation = {{ max-examples = {EXAMPLES}, no-shrink = true, database = 'none' }}",
        f"suppress-health-check = {json.dumps(['all'])}",
        "phases = { examples = { enabled = false }, coverage = { unexpected-methods = ['PATCH'] } }",
        f"parameters = {_table(_EVERYWHERE)}",
        "[checks]",
        "enabled = false",
        *(f"{check} = {{ enabled = true }}" for check in CHECKS),
        "[dictionaries]",
        *(f"{kind} = {{ values = {json.dumps(found[:-1])} }}" for kind, found in seeds.items()),
        *(f"{name} = {{ values = {json.dumps([value])} }}" for name, value in _WORDS.items()),
        *(f"{kind}_to_delete = {{ values = {json.dumps(found[-1:])} }}" for kind, found in seeds.items()),
    ]
    for kind in seeds:
        parameter = "id_or_name" if kind == "zones" else "id"
        path = f"^/{kind}/\\\\{{{parameter}\\\\}}"
        lines += _bound(f'include-path-regex = "{path}"\nexclude-method = "DELETE"', parameter, kind)
        lines += _bound(f'include-path-regex = "{path}$"\ninclude-method = "DELETE"', parameter, f"{kind}_to_delete")
    return "\n".join(lines) + "\n"


_WORDS = {"rr_name": "www", "rr_type": "A"}
_EVERYWHERE = {
    "path.rr_name": "rr_name",
    "path.rr_type": "rr_type",
    "body.server": "servers",
    "body.network": "networks",
    "body.placement_group": "placement_groups",
    "body.assignee_id": "servers",
}
"""Parameters, and which dictionary knows good values for them."""


def _bound(operations: str, parameter: str, dictionary: str) -> list[str]:
    return ["[[operations]]", operations, f"parameters = {_table({f'path.{parameter}': dictionary})}"]


def _table(bindings: dict[str, str]) -> str:
    """Mostly what is known to be there, now and then anything else."""
    pairs = (f'"{name}" = {{ dictionary = "{known}", probability = 0.8 }}' for name, known in bindings.items())
    return f"{{ {', '.join(pairs)} }}"
