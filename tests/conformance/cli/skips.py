"""Commands of `hcloud` that are not run, and why."""

from __future__ import annotations

NOT_EMULATED = "the lab does not emulate {}; its list is empty, and that is checked"
LOCAL = "talks to no API: it only reads and writes the user's own configuration"

RUN_ANYWAY = {"certificate list", "floating-ip list", "load-balancer list", "load-balancer-type list"}
KINDS = {
    "certificate": "certificates",
    "floating-ip": "floating IPs",
    "load-balancer": "load balancers",
    "load-balancer-type": "load balancers",
}
OTHERS = {
    "completion": "prints a script for the shell and talks to no API",
    "iso describe": "the lab has no ISOs to describe; its list is empty, and that is checked",
    "server attach-iso": "the lab has no ISOs to attach; that one is not found, is checked",
    "context active": LOCAL,
    "context create": LOCAL,
    "context delete": LOCAL,
    "context list": LOCAL,
    "context use": LOCAL,
}


def skips(leaves: list[str]) -> dict[str, str]:
    """The reason for each of these commands that has one."""
    reasons = {leaf: OTHERS[leaf] for leaf in leaves if leaf in OTHERS}
    for leaf in leaves:
        what = KINDS.get(leaf.split()[0])
        if what and leaf not in RUN_ANYWAY:
            reasons[leaf] = NOT_EMULATED.format(what)
    return reasons
