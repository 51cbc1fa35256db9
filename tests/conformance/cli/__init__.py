"""The `hcloud` command line client, of two Debian releases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..ledger import Ledger
from ..profile import NEW, OLD
from ..report import Row
from ..stage import Stage
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


def play(stage: Stage, program: Path) -> list[Row]:
    """Runs every command of one version of the client."""
    hcloud = Hcloud(program, stage)
    leaves = hcloud.leaves()
    ledger = Ledger(stage.client, leaves, skips(leaves))
    hcloud.ledger = ledger
    for scene in [*SCENES, DATACENTERS[stage.profile]]:
        ledger.play(scene, hcloud)
    return ledger.rows()
