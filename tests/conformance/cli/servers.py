"""`hcloud server`: life, power and what hangs on a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ..keys import public_key
from ..waiting import until
from .hcloud import Hcloud
from .labels import labels

SMALL = ["--type", "cx23", "--image", "debian-13", "--location", "fsn1"]


def life(hcloud: Hcloud) -> None:
    hcloud.run("ssh-key", "create", "--name", "mine", "--public-key", public_key("cli-server"))
    user_data = hcloud.home / "user-data"
    user_data.write_text("#cloud-config\n")
    options = ["--ssh-key", "mine", "--user-data-from-file", str(user_data), "--label", "for=us"]
    said = hcloud.run("server", "create", "--name", "web", *SMALL, *options)
    assert "Root password" not in said, said
    seen = hcloud.describe("server", "web")
    assert (seen["status"], seen["server_type"]["name"], seen["labels"]) == ("running", "cx23", {"for": "us"}), seen
    assert seen["image"]["name"] == "debian-13", seen["image"]
    assert "web" in hcloud.names("server", "--selector", "for=us")
    assert hcloud.run("server", "ip", "web").strip() == seen["public_net"]["ipv4"]["ip"]
    assert ":" in hcloud.run("server", "ip", "--ipv6", "web")
    assert seen["public_net"]["ipv4"]["ip"] in hcloud.run("server", "ssh", "web", "uptime")
    said = hcloud.refused("server", "create", "--name", "web", *SMALL)
    assert "uniqueness_error" in said or "already used" in said, said

    labels(hcloud, "server", "web")
    hcloud.run("server", "update", "web", "--name", "site")
    hcloud.run("server", "enable-protection", "site", "delete", "rebuild")
    assert hcloud.describe("server", "site")["protection"] == {"delete": True, "rebuild": True}
    assert "protect" in hcloud.refused("server", "delete", "site")
    hcloud.run("server", "disable-protection", "site", "delete", "rebuild")
    hcloud.run("server", "delete", "site")
    assert "site" not in hcloud.names("server")
    hcloud.run("ssh-key", "delete", "mine")


def power(hcloud: Hcloud) -> None:
    def status() -> Any:
        return hcloud.describe("server", "engine")["status"]

    said = hcloud.run("server", "create", "--name", "engine", *SMALL, "--start-after-create=false")
    assert "Root password" in said, said
    assert status() == "off"
    hcloud.run("server", "poweron", "engine")
    assert status() == "running"
    hcloud.run("server", "reboot", "engine")
    hcloud.run("server", "reset", "engine")
    assert status() == "running"
    assert "assword" in hcloud.run("server", "reset-password", "engine")
    assert hcloud.json("server", "request-console", "engine")["WSSURL"].startswith("wss://")
    hcloud.run("server", "shutdown", "engine")
    # its success says that the signal was sent, not that the server is off
    until(lambda: status() == "off")
    hcloud.run("server", "poweroff", "engine")
    assert status() == "off"
    hcloud.run("server", "delete", "engine")


def resize(hcloud: Hcloud) -> None:
    hcloud.run("server", "create", "--name", "grow", *SMALL)
    refusal = hcloud.refused("server", "change-type", "grow", "cx33")
    assert "stopped" in refusal or "powered off" in refusal, refusal
    hcloud.run("server", "poweroff", "grow")
    hcloud.run("server", "change-type", "--keep-disk", "grow", "cx33")
    seen = hcloud.describe("server", "grow")
    # it is started again by itself
    assert (seen["server_type"]["name"], seen["primary_disk_size"], seen["status"]) == ("cx33", 40, "running"), seen
    hcloud.run("server", "poweroff", "grow")
    hcloud.run("server", "change-type", "grow", "cx43")
    seen = hcloud.describe("server", "grow")
    assert (seen["server_type"]["name"], seen["primary_disk_size"]) == ("cx43", 160), seen
    hcloud.run("server", "delete", "grow")


def recovery(hcloud: Hcloud) -> None:
    hcloud.run("ssh-key", "create", "--name", "medic", "--public-key", public_key("medic"))
    hcloud.run("server", "create", "--name", "ill", *SMALL)
    hcloud.run("server", "enable-rescue", "ill", "--type", "linux64", "--ssh-key", "medic")
    assert hcloud.describe("server", "ill")["rescue_enabled"] is True
    hcloud.run("server", "disable-rescue", "ill")
    assert hcloud.describe("server", "ill")["rescue_enabled"] is False

    hcloud.run("server", "enable-backup", "ill")
    assert hcloud.describe("server", "ill")["backup_window"]
    hcloud.run("server", "disable-backup", "ill")
    assert not hcloud.describe("server", "ill")["backup_window"]

    hcloud.run("server", "rebuild", "ill", "--image", "debian-12")
    seen = hcloud.describe("server", "ill")
    assert (seen["image"]["name"], seen["status"]) == ("debian-12", "running"), seen
    assert "not found" in hcloud.refused("server", "attach-iso", "ill", "no-such.iso")
    hcloud.run("server", "detach-iso", "ill")
    hcloud.run("server", "delete", "ill")
    hcloud.run("ssh-key", "delete", "medic")


def names(hcloud: Hcloud) -> None:
    hcloud.run("server", "create", "--name", "named", *SMALL)
    address = hcloud.describe("server", "named")["public_net"]["ipv4"]["ip"]
    hcloud.run("server", "set-rdns", "named", "--ip", address, "--hostname", "named.example.com")
    assert hcloud.describe("server", "named")["public_net"]["ipv4"]["dns_ptr"] == "named.example.com"
    hcloud.run("server", "set-rdns", "named", "--hostname", "again.example.com")
    assert hcloud.describe("server", "named")["public_net"]["ipv4"]["dns_ptr"] == "again.example.com"

    now = datetime.now(UTC)
    window = ["--start", f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", "--end", f"{now:%Y-%m-%dT%H:%M:%SZ}"]
    for kind in ("cpu", "disk", "network"):
        seen = hcloud.json("server", "metrics", "named", "--type", kind, *window)["metrics"]
        assert seen["time_series"], seen
    hcloud.run("server", "metrics", "named", "--type", "cpu", *window)
    hcloud.run("server", "delete", "named")
