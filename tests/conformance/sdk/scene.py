"""What the scenes share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hcloud import APIException, Client
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers.client import BoundServer

SMALL: dict[str, Any] = {
    "server_type": ServerType(name="cx23"),
    "image": Image(name="debian-13"),
    "location": Location(name="fsn1"),
}


def server(client: Client, name: str, **options: Any) -> BoundServer:
    """A server, once all that its create has begun is done."""
    made = client.servers.create(name=name, **{**SMALL, **options})
    wait(made.action, *made.next_actions)
    made.server.reload()
    return made.server


def wait(*actions: Any) -> None:
    for action in actions:
        action.wait_until_finished()


def delete_server(server: BoundServer) -> None:
    wait(server.delete())


@contextmanager
def refused(*codes: str) -> Iterator[None]:
    """What is in here must be refused with one of these codes."""
    try:
        yield
    except APIException as error:
        assert error.code in codes, f"refused with {error.code} ({error.message}), not {' or '.join(codes)}"
    else:
        raise AssertionError(f"went through, and should be refused with {' or '.join(codes)}")


def lists(resource: Any, wanted: Any, **filters: Any) -> None:
    """All ways to find a thing again find it."""
    assert resource.get_by_id(wanted.id).has_id_or_name(wanted.id)
    assert wanted.id in ids(resource.get_all(**filters))
    page = resource.get_list(page=1, per_page=50, **filters)
    assert wanted.id in ids(page[0]) and page.meta.pagination.page == 1, page
    if hasattr(resource, "get_by_name") and wanted.name:
        found = resource.get_by_name(wanted.name)
        assert found and found.id == wanted.id, wanted.name
        assert resource.get_by_name("no-such-name") is None
    with refused("not_found"):
        resource.get_by_id(999_999_999)


def actions(resource: Any, thing: Any, at_least: int = 1) -> None:
    """The actions of a thing are listed everywhere, and are the same ones."""
    own = thing.get_actions(sort=["id:desc"])
    assert len(own) >= at_least, own
    assert [a.id for a in own] == sorted((a.id for a in own), reverse=True)
    assert ids(thing.get_actions_list(status=["success"], page=1, per_page=50).actions) <= ids(own)
    assert ids(own) <= ids(resource.actions.get_all())
    assert ids(resource.actions.get_list(status=["success"], sort=["id"], per_page=50).actions)
    assert resource.actions.get_by_id(own[0].id).command == own[0].command
    assert resource.get_actions(thing)
    assert resource.get_actions_list(thing).actions


def ids(things: Iterable[Any]) -> set[int]:
    return {thing.id for thing in things}
