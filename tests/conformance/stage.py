"""Where a client plays: its lab, its home, its tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tools:
    """Where the programs lie."""

    program: Path
    """`clawberth`"""
    cache: Path
    """Holds `hcloud-cli` and `hcloud-cli-1.30`, unpacked."""
    collections: Path
    """Ansible's."""


@dataclass(frozen=True)
class Stage:
    """All that a client needs to know."""

    client: str
    """Its name in the report."""
    profile: str
    """The API date that its lab plays."""
    tools: Tools
    home: Path
    """A directory that it may make and fill."""
    endpoint: str
    """`http://127.0.0.1:PORT/v1`"""
    token: str
