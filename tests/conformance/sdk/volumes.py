"""`client.volumes`."""

from __future__ import annotations

from hcloud import Client
from hcloud.locations import Location

from .scene import actions, delete_server, lists, refused, server, wait


def life(client: Client) -> None:
    made = client.volumes.create(size=10, name="disk", location=Location(name="fsn1"), format="ext4", labels={"a": "b"})
    wait(made.action, *made.next_actions)
    disk = made.volume
    disk.reload()
    assert (disk.size, disk.status, disk.server, disk.format) == (10, "available", None, "ext4"), disk
    lists(client.volumes, disk, label_selector="a=b")
    assert client.volumes.get_list(name="disk", status=["available"]).volumes[0].id == disk.id
    for size in (9, 10_241):
        with refused("invalid_input"):
            client.volumes.create(size=size, name="odd", location=Location(name="fsn1"))
    disk = disk.update(name="data", labels={})
    assert (disk.name, disk.labels) == ("data", {}), disk
    wait(disk.resize(20))
    with refused("invalid_input"):
        disk.resize(15)
    wait(disk.change_protection(delete=True))
    with refused("protected"):
        disk.delete()
    wait(disk.change_protection(delete=False))
    disk.reload()
    assert disk.size == 20, disk.size
    actions(client.volumes, disk, at_least=2)
    assert disk.delete()


def attachment(client: Client) -> None:
    spare = client.volumes.create(size=10, name="spare", location=Location(name="fsn1")).volume
    far = client.volumes.create(size=10, name="far", location=Location(name="hel1")).volume
    store = server(client, "store", volumes=[spare], automount=True)
    assert [volume.id for volume in store.volumes] == [spare.id], store.volumes
    with refused("service_error"):
        spare.delete()
    with refused("invalid_input", "volume_already_attached", "resource_in_use"):
        spare.attach(store)
    with refused("invalid_input", "unprocessable_entity", "resource_unavailable"):
        far.attach(store)
    wait(spare.detach())
    wait(spare.attach(store, automount=True))
    spare.reload()
    assert spare.server.id == store.id, spare.server
    made = client.volumes.create(size=10, name="second", server=store, automount=True, format="xfs")
    wait(made.action, *made.next_actions)
    delete_server(store)
    for volume in (spare, far, made.volume):
        volume.reload()
        assert volume.server is None, volume
        assert volume.delete()
