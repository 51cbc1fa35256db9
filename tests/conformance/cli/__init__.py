"""The `hcloud` command line client, of two Debian releases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..ledger import Ledger
from ..profile import NEW, OLD
from . import catalog, firewalls, images, networks, placement_groups, primary_ips, servers, ssh_keys, volumes
from .hcloud import Hcloud
from .skips import skips

SCENES: list[Callable[[Hcloud], None]] = [
    ssh_keys.life,
    firewalls.rules,
    firewalls.targets,
    servers.life,
    servers.power,
    servers.resize,
    servers.recovery,
    servers.names,
    images.snapshots,
    images.backups,
    primary_ips.life,
    volumes.life,
    volumes.attachment,
    networks.life,
    networks.members,
    placement_groups.life,
    catalog.goods,
    catalog.empty_lists,
    catalog.everything,
]
DATACENTERS = {OLD: catalog.datacenters_before, NEW: catalog.datacenters_after}


def play(client: str, program: Path, home: Path, profile: str, endpoint: str, token: str) -> Ledger:
    """Runs every command of one version of the client."""
    hcloud = Hcloud(program, home, profile, endpoint, token)
    leaves = hcloud.leaves()
    ledger = Ledger(client, leaves, skips(leaves))
    hcloud.ledger = ledger
    for scene in [*SCENES, DATACENTERS[profile]]:
        ledger.play(lambda scene=scene: scene(hcloud))
    return ledger
