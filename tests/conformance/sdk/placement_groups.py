"""`client.placement_groups`, and servers in one."""

from __future__ import annotations

from hcloud import Client

from .scene import SMALL, delete_server, lists, refused, server, wait


def life(client: Client) -> None:
    group = client.placement_groups.create(name="apart", type="spread", labels={"for": "us"}).placement_group
    assert (group.type, group.servers, group.labels) == ("spread", [], {"for": "us"}), group
    lists(client.placement_groups, group, label_selector="for=us")
    assert client.placement_groups.get_list(type="spread").placement_groups
    group = group.update(name="spread", labels={})
    assert (group.name, group.labels) == ("spread", {}), group

    left = server(client, "left", placement_group=group)
    assert left.placement_group.id == group.id, left.placement_group
    with refused("already_in_placement_group", "server_not_stopped"):
        left.add_to_placement_group(group)
    wait(left.power_off())
    wait(left.remove_from_placement_group())
    wait(left.add_to_placement_group(group))
    group.reload()
    assert group.servers == [left.id], group.servers
    delete_server(left)
    assert group.delete()


def ten_at_most(client: Client) -> None:
    group = client.placement_groups.create(name="full", type="spread").placement_group
    servers = [server(client, f"full-{number}", placement_group=group) for number in range(10)]
    with refused("placement_group_member_limit_reached"):
        client.servers.create(name="full-11", **SMALL, placement_group=group)
    for each in servers:
        delete_server(each)
    assert group.delete()
