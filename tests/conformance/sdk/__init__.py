"""Python's `hcloud`: every method of its resource clients and bound objects."""

from __future__ import annotations

from collections.abc import Callable

from hcloud import Client

from ..ledger import Ledger
from ..profile import NEW, OLD
from ..report import Row
from ..stage import Stage
from . import (
    catalog,
    firewalls,
    images,
    networks,
    placement_groups,
    primary_ips,
    servers,
    ssh_keys,
    volumes,
    zones,
)
from .skips import skips
from .trace import offered, trace

POLL = 0.02
"""Seconds between two looks at an action."""

SCENES: list[Callable[[Client], None]] = [
    ssh_keys.life,
    firewalls.rules,
    firewalls.targets,
    servers.life,
    servers.power,
    servers.resize,
    servers.recovery,
    servers.facts,
    servers.bare,
    images.catalog,
    images.snapshots,
    images.backups,
    primary_ips.life,
    primary_ips.follows_its_server,
    volumes.life,
    volumes.attachment,
    networks.life,
    networks.members,
    placement_groups.life,
    placement_groups.ten_at_most,
    zones.life,
    zones.records,
    zones.records_by_their_zone,
    zones.files,
    zones.secondary,
    catalog.goods,
    catalog.empty_lists,
    catalog.all_actions,
]
DATACENTERS = {OLD: catalog.datacenters_before, NEW: catalog.datacenters_after}


def play(stage: Stage) -> list[Row]:
    """Runs every method; wraps the library's classes, so once in a process."""
    client = Client(token=stage.token, api_endpoint=stage.endpoint, poll_interval=POLL, timeout=30)
    operations = offered(client)
    reasons = skips(operations, stage.profile)
    if stage.profile == OLD:
        # what is skipped is listed once, for the new profile
        operations, reasons = [operation for operation in operations if operation not in reasons], {}
    ledger = Ledger(stage.client, operations, reasons)
    trace(ledger, client)
    for scene in [*SCENES, DATACENTERS[stage.profile]]:
        ledger.play(scene, client)
    return ledger.rows()
