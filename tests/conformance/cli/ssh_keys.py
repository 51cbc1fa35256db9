"""`hcloud ssh-key`."""

from __future__ import annotations

from ..keys import public_key
from .hcloud import Hcloud
from .labels import labels


def life(hcloud: Hcloud) -> None:
    key = public_key("cli")
    file = hcloud.home / "key.pub"
    file.write_text(key)
    hcloud.run("ssh-key", "create", "--name", "one", "--public-key-from-file", str(file), "--label", "for=us")
    seen = hcloud.describe("ssh-key", "one")
    assert (seen["name"], seen["public_key"], seen["labels"]) == ("one", key, {"for": "us"}), seen
    assert len(seen["fingerprint"].split(":")) == 16, seen
    assert "one" in hcloud.names("ssh-key", "--selector", "for=us")
    said = hcloud.refused("ssh-key", "create", "--name", "two", "--public-key", key)
    assert "uniqueness_error" in said or "not unique" in said, said

    labels(hcloud, "ssh-key", "one")
    hcloud.run("ssh-key", "update", "one", "--name", "first")
    hcloud.run("ssh-key", "delete", "first")
    assert "first" not in hcloud.names("ssh-key")
    assert "not found" in hcloud.refused("ssh-key", "describe", "first")
