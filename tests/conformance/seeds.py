"""Things for the fuzzer to meet: without them nearly everything that it tries is a 404."""

from __future__ import annotations

from typing import Any

from .api import Api
from .keys import public_key

EACH = 6
"""Of each kind; the last one is the one to be deleted, so that the others stay."""

Seeds = dict[str, list[int | str]]
"""The ids of what there is, by the first word of the path."""


def sow(api: Api) -> Seeds:
    """Makes some of everything."""
    seeds: Seeds = {kind: [_make(api, kind, number) for number in range(EACH)] for kind in _WISHES}
    for number, server in enumerate(seeds["servers"]):
        image = api.ask("POST", f"/servers/{server}/actions/create_image", {"type": "snapshot"})
        api.wait(image["action"])
        seeds.setdefault("images", []).append(image["image"]["id"])
        if number % 2:
            api.wait(api.ask("POST", f"/servers/{server}/actions/poweroff")["action"])
    seeds["zones"] = [f"fuzz-{number}.example.com" for number in range(EACH)]
    return seeds


def _make(api: Api, kind: str, number: int) -> int:
    path, wish = _WISHES[kind]
    name = f"fuzz-{number}.example.com" if kind == "zones" else f"fuzz-{number}"
    key = {"public_key": public_key(name)} if kind == "ssh_keys" else {}
    answer = api.ask("POST", f"/{kind}", {"name": name, **wish, **key})
    for action in (answer.get("action"), *answer.get("next_actions", [])):
        if action:
            api.wait(action)
    return int(answer[path]["id"])


_SUBNET = {"type": "cloud", "ip_range": "10.0.1.0/24", "network_zone": "eu-central"}
_RRSET = {"name": "www", "type": "A", "records": [{"value": "192.0.2.1"}]}
_WISHES: dict[str, tuple[str, dict[str, Any]]] = {
    "ssh_keys": ("ssh_key", {}),
    "firewalls": ("firewall", {"rules": []}),
    "networks": ("network", {"ip_range": "10.0.0.0/8", "subnets": [_SUBNET]}),
    "placement_groups": ("placement_group", {"type": "spread"}),
    "primary_ips": ("primary_ip", {"type": "ipv4", "location": "fsn1", "assignee_type": "server"}),
    "volumes": ("volume", {"size": 10, "location": "fsn1"}),
    "zones": ("zone", {"mode": "primary", "rrsets": [_RRSET]}),
    "servers": ("server", {"server_type": "cx23", "image": "debian-13", "location": "fsn1"}),
}
