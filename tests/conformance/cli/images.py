"""`hcloud image`, and the ways to make one."""

from __future__ import annotations

from .hcloud import Hcloud
from .labels import labels
from .servers import SMALL


def snapshots(hcloud: Hcloud) -> None:
    assert "debian-13" in hcloud.names("image", "--type", "system")
    hcloud.run("server", "create", "--name", "model", *SMALL)
    hcloud.run(
        "server", "create-image", "model", "--type", "snapshot", "--description", "as it was", "--label", "for=us"
    )
    [image] = hcloud.listed("image", "--selector", "for=us")
    number = str(image["id"])
    seen = hcloud.describe("image", number)
    assert (seen["type"], seen["status"], seen["description"]) == ("snapshot", "available", "as it was"), seen
    assert seen["created_from"]["name"] == "model", seen

    labels(hcloud, "image", number)
    hcloud.run("image", "update", number, "--description", "as it is")
    assert hcloud.describe("image", number)["description"] == "as it is"
    hcloud.run("image", "enable-protection", number, "delete")
    assert "protect" in hcloud.refused("image", "delete", number)
    hcloud.run("image", "disable-protection", number, "delete")

    hcloud.run("server", "create", "--name", "copy", "--type", "cx23", "--image", number)
    assert hcloud.describe("server", "copy")["image"]["id"] == image["id"]
    hcloud.run("server", "rebuild", "model", "--image", number)
    hcloud.run("image", "delete", number)
    assert hcloud.listed("image", "--selector", "for=us") == []
    for name in ("copy", "model"):
        hcloud.run("server", "delete", name)


def backups(hcloud: Hcloud) -> None:
    hcloud.run("server", "create", "--name", "saved", *SMALL)
    hcloud.run("server", "enable-backup", "saved")
    hcloud.run("server", "create-image", "saved", "--type", "backup", "--description", "tonight")
    [backup] = [i for i in hcloud.listed("image", "--type", "backup") if i["description"] == "tonight"]
    assert backup["bound_to"] == hcloud.describe("server", "saved")["id"], backup
    hcloud.run("image", "update", str(backup["id"]), "--type", "snapshot")
    assert hcloud.describe("image", str(backup["id"]))["type"] == "snapshot"
    hcloud.run("server", "delete", "saved")
    hcloud.run("image", "delete", str(backup["id"]))
