"""`hcloud primary-ip`."""

from __future__ import annotations

from ..profile import OLD
from .hcloud import Hcloud
from .labels import labels
from .servers import SMALL


def life(hcloud: Hcloud) -> None:
    bare = ["--without-ipv4", "--start-after-create=false"]
    hcloud.run("server", "create", "--name", "host", *SMALL, *bare, "--label", "for=us")
    host = hcloud.describe("server", "host")
    assert not host["public_net"]["ipv4"] or not host["public_net"]["ipv4"].get("ip"), host["public_net"]
    # 1.30 shows --assignee-id, but does not send it; --datacenter, which both have, is gone with the old API
    where = ["--datacenter", "fsn1-dc14"] if hcloud.profile == OLD else ["--assignee-id", str(host["id"])]
    hcloud.run("primary-ip", "create", "--name", "front", "--type", "ipv4", *where)
    if hcloud.profile == OLD:
        hcloud.run("primary-ip", "assign", "front", "--server", "host")
    seen = hcloud.describe("primary-ip", "front")
    assert (seen["type"], seen["assignee_id"]) == ("ipv4", host["id"]), seen
    assert "front" in hcloud.names("primary-ip")

    labels(hcloud, "primary-ip", "front")
    hcloud.run("primary-ip", "set-rdns", "front", "--ip", seen["ip"], "--hostname", "front.example.com")
    assert hcloud.describe("primary-ip", "front")["dns_ptr"][0]["dns_ptr"] == "front.example.com"
    hcloud.run("primary-ip", "update", "front", "--name", "door", "--auto-delete=false")
    assert hcloud.describe("primary-ip", "door")["auto_delete"] is False
    hcloud.refused("primary-ip", "delete", "door")
    hcloud.run("primary-ip", "unassign", "door")
    assert not hcloud.describe("primary-ip", "door")["assignee_id"]
    hcloud.run("primary-ip", "assign", "door", "--server", "host")
    hcloud.run("server", "poweron", "host")
    hcloud.refused("primary-ip", "unassign", "door")
    hcloud.run("server", "delete", "host")

    hcloud.run("primary-ip", "enable-protection", "door")
    assert "protect" in hcloud.refused("primary-ip", "delete", "door")
    hcloud.run("primary-ip", "disable-protection", "door")
    hcloud.run("server", "create", "--name", "again", *SMALL, "--primary-ipv4", "door")
    assert hcloud.describe("server", "again")["public_net"]["ipv4"]["ip"] == seen["ip"]
    hcloud.run("server", "delete", "again")
    hcloud.run("primary-ip", "delete", "door")
    assert "door" not in hcloud.names("primary-ip")
