"""`hcloud network`, and servers in one."""

from __future__ import annotations

from .hcloud import Hcloud
from .labels import labels
from .servers import SMALL


def life(hcloud: Hcloud) -> None:
    hcloud.run("network", "create", "--name", "lan", "--ip-range", "10.0.0.0/16", "--label", "for=us")
    assert hcloud.describe("network", "lan")["ip_range"] == "10.0.0.0/16"
    assert hcloud.names("network", "--selector", "for=us") == {"lan"}
    subnet = ["--type", "cloud", "--network-zone", "eu-central", "--ip-range", "10.0.1.0/24"]
    hcloud.run("network", "add-subnet", "lan", *subnet)
    [seen] = hcloud.describe("network", "lan")["subnets"]
    assert (seen["ip_range"], seen["type"], seen["gateway"]) == ("10.0.1.0/24", "cloud", "10.0.0.1"), seen
    hcloud.refused("network", "add-subnet", "lan", *subnet)
    hcloud.run("network", "add-route", "lan", "--destination", "192.168.9.0/24", "--gateway", "10.0.1.9")
    seen = hcloud.describe("network", "lan")["routes"]
    assert seen == [{"destination": "192.168.9.0/24", "gateway": "10.0.1.9"}], seen
    hcloud.run("network", "remove-route", "lan", "--destination", "192.168.9.0/24", "--gateway", "10.0.1.9")
    hcloud.run("network", "change-ip-range", "lan", "--ip-range", "10.0.0.0/8")
    assert hcloud.describe("network", "lan")["ip_range"] == "10.0.0.0/8"
    hcloud.run("network", "remove-subnet", "lan", "--ip-range", "10.0.1.0/24")
    assert not hcloud.describe("network", "lan")["subnets"]
    if hcloud.offers("network expose-routes-to-vswitch"):
        hcloud.run("network", "expose-routes-to-vswitch", "lan")
        assert hcloud.describe("network", "lan")["expose_routes_to_vswitch"] is True
        hcloud.run("network", "expose-routes-to-vswitch", "--disable", "lan")

    labels(hcloud, "network", "lan")
    hcloud.run("network", "update", "lan", "--name", "wan")
    hcloud.run("network", "enable-protection", "wan", "delete")
    assert "protect" in hcloud.refused("network", "delete", "wan")
    hcloud.run("network", "disable-protection", "wan", "delete")
    hcloud.run("network", "delete", "wan")
    assert "wan" not in hcloud.names("network")


def members(hcloud: Hcloud) -> None:
    hcloud.run("network", "create", "--name", "office", "--ip-range", "10.2.0.0/16")
    subnet = ["--type", "cloud", "--network-zone", "eu-central", "--ip-range", "10.2.1.0/24"]
    hcloud.run("network", "add-subnet", "office", *subnet)
    hcloud.run("server", "create", "--name", "desk", *SMALL, "--network", "office")
    [seen] = hcloud.describe("server", "desk")["private_net"]
    assert seen["ip"].startswith("10.2.1."), seen
    hcloud.run("server", "detach-from-network", "desk", "--network", "office")
    assert not hcloud.describe("server", "desk")["private_net"]
    hcloud.run("server", "attach-to-network", "desk", "--network", "office", "--ip", "10.2.1.7")
    hcloud.refused("server", "attach-to-network", "desk", "--network", "office")
    hcloud.run("server", "change-alias-ips", "desk", "--network", "office", "--alias-ips", "10.2.1.8")
    [seen] = hcloud.describe("server", "desk")["private_net"]
    assert (seen["ip"], seen["alias_ips"]) == ("10.2.1.7", ["10.2.1.8"]), seen
    hcloud.run("server", "change-alias-ips", "desk", "--network", "office", "--clear")
    assert len(hcloud.describe("network", "office")["servers"]) == 1
    hcloud.run("server", "delete", "desk")
    hcloud.run("network", "delete", "office")
