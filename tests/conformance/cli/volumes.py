"""`hcloud volume`."""

from __future__ import annotations

from .hcloud import Hcloud
from .labels import labels
from .servers import SMALL


def life(hcloud: Hcloud) -> None:
    hcloud.run("volume", "create", "--name", "disk", "--size", "10", "--location", "fsn1")
    seen = hcloud.describe("volume", "disk")
    assert (seen["size"], seen["status"], seen["server"]) == (10, "available", None), seen
    assert seen["location"]["name"] == "fsn1" and str(seen["id"]) in seen["linux_device"], seen
    assert "disk" in hcloud.names("volume")
    labels(hcloud, "volume", "disk")
    hcloud.run("volume", "update", "disk", "--name", "data")
    hcloud.run("volume", "resize", "data", "--size", "20")
    hcloud.refused("volume", "resize", "data", "--size", "15")
    assert hcloud.describe("volume", "data")["size"] == 20
    hcloud.run("volume", "enable-protection", "data", "delete")
    assert "protect" in hcloud.refused("volume", "delete", "data")
    hcloud.run("volume", "disable-protection", "data", "delete")
    hcloud.run("volume", "delete", "data")
    assert "data" not in hcloud.names("volume")


def attachment(hcloud: Hcloud) -> None:
    hcloud.run("volume", "create", "--name", "spare", "--size", "10", "--location", "fsn1")
    hcloud.run("server", "create", "--name", "store", *SMALL, "--volume", "spare")
    store = hcloud.describe("server", "store")
    spare = hcloud.describe("volume", "spare")
    assert (store["volumes"], spare["server"]) == ([spare["id"]], store["id"]), (store["volumes"], spare)
    hcloud.refused("volume", "delete", "spare")
    hcloud.run("volume", "detach", "spare")
    assert hcloud.describe("server", "store")["volumes"] in ([], None)
    hcloud.run("volume", "attach", "spare", "--server", "store", "--automount")
    hcloud.refused("volume", "attach", "spare", "--server", "store")
    hcloud.run(
        "volume", "create", "--name", "second", "--size", "10", "--server", "store", "--automount", "--format", "xfs"
    )
    assert hcloud.describe("volume", "second")["format"] == "xfs"
    assert len(hcloud.describe("server", "store")["volumes"]) == 2
    hcloud.run("server", "delete", "store")
    for name in ("spare", "second"):
        assert not hcloud.describe("volume", name)["server"]
        hcloud.run("volume", "delete", name)
