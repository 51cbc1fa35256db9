"""Which versions were run, asked of what is installed."""

from __future__ import annotations

import gzip
import json
from importlib.metadata import version
from pathlib import Path

from .stage import Tools


def versions(tools: Tools) -> list[str]:
    """One line for each client."""
    debian = [_of_debian(tools.cache / folder) for folder in ("hcloud-cli-1.30", "hcloud-cli")]
    packages = [f"{name} {version(name)}" for name in ("hcloud", "ansible-core", "schemathesis")]
    return [f"Debian's hcloud-cli {' and '.join(debian)}", f"Python's {', '.join(packages)}", _collection(tools)]


def _of_debian(folder: Path) -> str:
    """The version in the first line of a package's changelog: the program itself does not know it."""
    [log] = (folder / "usr/share/doc/hcloud-cli").glob("changelog.Debian.gz")
    with gzip.open(log, "rt") as lines:
        return lines.readline().partition("(")[2].partition(")")[0]


def _collection(tools: Tools) -> str:
    manifest = tools.collections / "ansible_collections/hetzner/hcloud/MANIFEST.json"
    return f"Ansible's hetzner.hcloud {json.loads(manifest.read_text())['collection_info']['version']}"
