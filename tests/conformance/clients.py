"""The clients: which there are, and the API date that each is run against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .profile import NEW, OLD
from .report import Row
from .stage import Stage

# Each client is loaded in the process that plays it: Python's is changed by being watched.


@dataclass(frozen=True)
class Client:
    """One client against one profile."""

    name: str
    profile: str
    play: Callable[[Stage], list[Row]]


def _hcloud_of_bookworm(stage: Stage) -> list[Row]:
    from . import cli

    return cli.play(stage, stage.tools.cache / "hcloud-cli-1.30/usr/bin/hcloud")


def _hcloud_of_trixie(stage: Stage) -> list[Row]:
    from . import cli

    return cli.play(stage, stage.tools.cache / "hcloud-cli/usr/bin/hcloud")


def _python(stage: Stage) -> list[Row]:
    from . import sdk

    return sdk.play(stage)


def _ansible(stage: Stage) -> list[Row]:
    from . import ansible_client

    return ansible_client.play(stage)


def _by_hand(stage: Stage) -> list[Row]:
    from . import raw

    return raw.play(stage)


CLIENTS = [
    Client("hcloud-1.30.3", OLD, _hcloud_of_bookworm),
    Client("hcloud-1.39.0", NEW, _hcloud_of_trixie),
    Client("python-2.27.0", NEW, _python),
    Client("python-2.27.0-old", OLD, _python),
    Client("ansible-5.4.0", OLD, _ansible),
    Client("by-hand", NEW, _by_hand),
]
