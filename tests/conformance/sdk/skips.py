"""Methods of Python's `hcloud` that are not run, and why."""

from __future__ import annotations

import re

from ..profile import NEW

NOT_EMULATED = "the lab does not emulate {}"
LISTED = "the lab does not emulate {}; their list is empty, and that is checked"

REASONS: list[tuple[str, str | None]] = [
    (r"(storage_box\w*|BoundStorageBox\w*)\..*", "storage boxes belong to another API, at another host"),
    (r"(load_balancers|load_balancer_types)\.get_(all|list)", None),
    (r"(load_balancer\w*|BoundLoadBalancer\w*)\..*", LISTED.format("load balancers")),
    (r"floating_ips\.get_(all|list)", None),
    (r"(floating_ips|BoundFloatingIP)\..*", LISTED.format("floating IPs")),
    (r"certificates\.get_(all|list)", None),
    (r"(certificates|BoundCertificate)\..*", LISTED.format("certificates")),
    (r"actions\.get_(all|list)", "gone since 2025 but for given ids; that it is refused, is checked"),
    (r"isos\.get_by_id|BoundIso\..*", LISTED.format("ISOs")),
    (r"(servers|BoundServer)\.attach_iso", "there are no ISOs to attach; that one is not found, is checked"),
    (r"(networks|BoundNetwork)\.get_member_\w+", "newer than the shapes that the lab follows"),
    (r"BoundZone\.reload", "always fails: it asks for a `get_by_id` that the client of zones does not have"),
]
"""The first pattern that fits decides; without a reason, the method is run."""


DATACENTERS = (r"(datacenters|BoundDatacenter)\..*", "gone since 2026-10; that it is refused, is checked")


def skips(operations: list[str], profile: str) -> dict[str, str]:
    """The reason for each of these methods that has one."""
    reasons = [DATACENTERS, *REASONS] if profile == NEW else REASONS
    found = {operation: _reason(operation, reasons) for operation in operations}
    return {operation: reason for operation, reason in found.items() if reason}


def _reason(operation: str, reasons: list[tuple[str, str | None]]) -> str | None:
    return next((reason for pattern, reason in reasons if re.fullmatch(pattern, operation)), None)
