"""`hcloud firewall`."""

from __future__ import annotations

import json

from .hcloud import Hcloud
from .labels import labels

SSH = {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["203.0.113.0/24"], "description": "ssh"}
PING = {"direction": "in", "protocol": "icmp", "source_ips": ["0.0.0.0/0", "::/0"]}
HTTPS = ["--direction", "in", "--protocol", "tcp", "--port", "443", "--source-ips", "0.0.0.0/0", "--source-ips", "::/0"]


def rules(hcloud: Hcloud) -> None:
    file = hcloud.home / "rules.json"
    file.write_text(json.dumps([SSH, PING]))
    hcloud.run("firewall", "create", "--name", "wall", "--rules-file", str(file), "--label", "for=us")
    seen = hcloud.describe("firewall", "wall")
    assert [rule["protocol"] for rule in seen["rules"]] == ["tcp", "icmp"], seen["rules"]
    assert seen["rules"][0]["source_ips"] == ["203.0.113.0/24"], seen["rules"]

    hcloud.run("firewall", "add-rule", "wall", *HTTPS)
    assert "443" in [rule.get("port") for rule in hcloud.describe("firewall", "wall")["rules"]]
    hcloud.run("firewall", "delete-rule", "wall", *HTTPS)
    assert len(hcloud.describe("firewall", "wall")["rules"]) == 2
    hcloud.run("firewall", "replace-rules", "wall", "--rules-file", "-", stdin=json.dumps([PING]))
    assert len(hcloud.describe("firewall", "wall")["rules"]) == 1

    labels(hcloud, "firewall", "wall")
    hcloud.run("firewall", "update", "wall", "--name", "rampart")
    assert hcloud.names("firewall", "--selector", "for=us") == {"rampart"}
    hcloud.run("firewall", "delete", "rampart")
    assert "rampart" not in hcloud.names("firewall")


def targets(hcloud: Hcloud) -> None:
    hcloud.run("firewall", "create", "--name", "gate")
    hcloud.run("server", "create", "--name", "guarded", "--type", "cx23", "--image", "debian-13", "--label", "role=web")
    by_server = ["gate", "--type", "server", "--server", "guarded"]
    by_label = ["gate", "--type", "label_selector", "--label-selector", "role=web"]

    hcloud.run("firewall", "apply-to-resource", *by_server)
    assert [target["type"] for target in hcloud.describe("firewall", "gate")["applied_to"]] == ["server"]
    assert "in use" in (said := hcloud.refused("firewall", "delete", "gate")) or "resource_in_use" in said, said
    hcloud.run("firewall", "remove-from-resource", *by_server)
    hcloud.run("firewall", "apply-to-resource", *by_label)
    [target] = hcloud.describe("firewall", "gate")["applied_to"]
    assert target["label_selector"]["selector"] == "role=web", target
    assert len(target["applied_to_resources"]) == 1, target
    hcloud.run("firewall", "remove-from-resource", *by_label)

    hcloud.run("server", "delete", "guarded")
    hcloud.run("firewall", "delete", "gate")
