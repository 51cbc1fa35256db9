"""The clients: which there are, and the API date that each is run against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .profile import NEW, OLD
from .report import Row


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
class Client:
    """One client against one profile."""

    name: str
    profile: str
    play: Play


Play = Callable[[Client, Tools, Path, str, str], list[Row]]
"""Runs a client with a home of its own against an endpoint with a token."""


def _old_hcloud(client: Client, tools: Tools, home: Path, endpoint: str, token: str) -> list[Row]:
    return _play_hcloud("hcloud-cli-1.30", client, tools, home, endpoint, token)


def _new_hcloud(client: Client, tools: Tools, home: Path, endpoint: str, token: str) -> list[Row]:
    return _play_hcloud("hcloud-cli", client, tools, home, endpoint, token)


def _play_hcloud(folder: str, client: Client, tools: Tools, home: Path, endpoint: str, token: str) -> list[Row]:
    from . import cli

    program = tools.cache / folder / "usr" / "bin" / "hcloud"
    return cli.play(client.name, program, home, client.profile, endpoint, token).rows()


def _python(client: Client, tools: Tools, home: Path, endpoint: str, token: str) -> list[Row]:
    from . import sdk

    return sdk.play(client.name, client.profile, endpoint, token).rows()


def _ansible(client: Client, tools: Tools, home: Path, endpoint: str, token: str) -> list[Row]:
    from . import ansible_client

    return ansible_client.play(client.name, tools.collections, home, endpoint, token)


def _raw(client: Client, tools: Tools, home: Path, endpoint: str, token: str) -> list[Row]:
    from . import raw

    return raw.play(client.name, endpoint, token)


CLIENTS = [
    Client("hcloud-1.30.3", OLD, _old_hcloud),
    Client("hcloud-1.39.0", NEW, _new_hcloud),
    Client("python-2.27.0-old", OLD, _python),
    Client("python-2.27.0", NEW, _python),
    Client("ansible-5.4.0", OLD, _ansible),
    Client("by-hand", NEW, _raw),
]
