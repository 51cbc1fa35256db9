"""What nobody can change: types, places, and lists of what the lab does not have."""

from __future__ import annotations

from .hcloud import Hcloud


def goods(hcloud: Hcloud) -> None:
    assert "fsn1" in hcloud.names("location")
    assert hcloud.describe("location", "fsn1")["network_zone"] == "eu-central"
    assert "cx23" in hcloud.names("server-type")
    assert hcloud.describe("server-type", "cx23")["cores"] == 2
    assert hcloud.describe("image", "debian-13")["os_flavor"] == "debian"
    hcloud.run("version")


def datacenters_before(hcloud: Hcloud) -> None:
    assert "fsn1-dc14" in hcloud.names("datacenter")
    seen = hcloud.describe("datacenter", "fsn1-dc14")
    assert seen["location"]["name"] == "fsn1" and seen["server_types"]["available"], seen


def datacenters_after(hcloud: Hcloud) -> None:
    hcloud.gone("datacenter", "list")
    hcloud.gone("datacenter", "describe", "fsn1-dc14")


def empty_lists(hcloud: Hcloud) -> None:
    for kind in ("iso", "load-balancer", "load-balancer-type", "floating-ip", "certificate"):
        assert hcloud.run(kind, "list", "-o", "noheader").strip() == ""


def everything(hcloud: Hcloud) -> None:
    if hcloud.offers("all list"):
        hcloud.run("volume", "create", "--name", "alone", "--size", "10", "--location", "hel1")
        assert "alone" in hcloud.run("all", "list")
        assert "alone" in hcloud.run("all", "list", "--paid")
        hcloud.run("volume", "delete", "alone")
