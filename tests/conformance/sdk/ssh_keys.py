"""`client.ssh_keys`."""

from __future__ import annotations

from hcloud import Client

from ..keys import public_key
from .scene import lists, refused


def life(client: Client) -> None:
    line = public_key("python")
    key = client.ssh_keys.create(name="one", public_key=line, labels={"for": "us"})
    assert (key.name, key.public_key, key.labels) == ("one", line, {"for": "us"}), key
    lists(client.ssh_keys, key, label_selector="for=us")
    found = client.ssh_keys.get_by_fingerprint(key.fingerprint)
    assert found and found.id == key.id, key.fingerprint
    with refused("uniqueness_error"):
        client.ssh_keys.create(name="two", public_key=line)
    with refused("uniqueness_error"):
        client.ssh_keys.create(name="one", public_key=public_key("another"))
    with refused("invalid_input"):
        client.ssh_keys.create(name="bad", public_key="ssh-ed25519 nonsense")

    key = key.update(name="first", labels={"tier": "one"})
    key.reload()
    assert (key.name, key.labels) == ("first", {"tier": "one"}), key
    assert key.delete()
    with refused("not_found"):
        client.ssh_keys.get_by_id(key.id)
