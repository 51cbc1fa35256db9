"""`client.images`, and the ways to make one."""

from __future__ import annotations

from hcloud import Client
from hcloud.server_types import ServerType

from .scene import actions, delete_server, ids, lists, refused, server, wait


def catalog(client: Client) -> None:
    found = client.images.get_by_name_and_architecture("debian-13", "x86")
    assert found and (found.type, found.architecture, found.os_flavor) == ("system", "x86", "debian"), found
    other = client.images.get_by_name_and_architecture("debian-13", "arm")
    assert other and other.id != found.id, other
    assert client.images.get_by_name("debian-13"), "debian-13"
    found.reload()
    assert found.id in ids(client.images.get_all(type=["system"], architecture=["x86"], include_deprecated=True))
    assert other.id not in ids(client.images.get_all(architecture=["x86"], status=["available"], sort=["name:desc"]))


def snapshots(client: Client) -> None:
    model = server(client, "model")
    made = model.create_image(description="as it was", type="snapshot", labels={"for": "us"})
    wait(made.action)
    image = client.images.get_by_id(made.image.id)
    assert (image.type, image.status, image.description) == ("snapshot", "available", "as it was"), image
    assert image.created_from.id == model.id and image.name is None, image.created_from
    lists(client.images, image, label_selector="for=us", type=["snapshot"])

    image = image.update(description="as it is", labels={})
    assert (image.description, image.labels) == ("as it is", {}), image
    wait(image.change_protection(delete=True))
    with refused("protected"):
        image.delete()
    wait(image.change_protection(delete=False))
    actions(client.images, image)
    copy = server(client, "copy", image=image, server_type=ServerType(name="cx33"))
    assert copy.image.id == image.id, copy.image
    wait(model.rebuild(image).action)
    assert image.delete()
    with refused("not_found"):
        client.images.get_by_id(image.id)
    delete_server(copy)
    delete_server(model)


def backups(client: Client) -> None:
    saved = server(client, "saved")
    with refused("invalid_input", "unsupported_error", "service_error", "conflict", "server_error", "backup_disabled"):
        saved.create_image(type="backup")
    wait(saved.enable_backup())
    made = saved.create_image(type="backup", description="tonight")
    wait(made.action)
    assert made.image.id in ids(client.images.get_all(bound_to=[str(saved.id)]))
    image = client.images.get_by_id(made.image.id).update(type="snapshot")
    assert image.type == "snapshot", image.type
    delete_server(saved)
    assert image.delete()
