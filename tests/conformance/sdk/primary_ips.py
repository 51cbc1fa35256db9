"""`client.primary_ips`."""

from __future__ import annotations

from hcloud import Client
from hcloud.locations import Location
from hcloud.servers.domain import ServerCreatePublicNetwork

from .scene import actions, delete_server, lists, refused, server, wait


def life(client: Client) -> None:
    made = client.primary_ips.create(type="ipv4", name="front", location=Location(name="fsn1"), labels={"for": "us"})
    front = made.primary_ip
    assert (front.type, front.assignee_id, front.auto_delete) == ("ipv4", None, False), front
    assert front.location.name == "fsn1", front.location
    lists(client.primary_ips, front, label_selector="for=us")
    assert client.primary_ips.get_list(ip=front.ip).primary_ips[0].id == front.id
    front = front.update(name="door", auto_delete=True, labels={})
    assert (front.name, front.auto_delete, front.labels) == ("door", True, {}), front
    front = front.update(auto_delete=False)
    wait(front.change_dns_ptr(front.ip, "door.example.com"))
    front.reload()
    assert front.dns_ptr == [{"ip": front.ip, "dns_ptr": "door.example.com"}], front.dns_ptr
    wait(front.change_protection(delete=True))
    with refused("protected"):
        front.delete()
    wait(front.change_protection(delete=False))

    bare = ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=True)
    host = server(client, "host", public_net=bare)
    with refused("server_not_stopped"):
        front.assign(host.id, "server")
    wait(host.power_off())
    wait(front.assign(host.id, "server"))
    host.reload()
    assert host.public_net.ipv4.ip == front.ip, host.public_net
    with refused("must_be_unassigned"):
        front.delete()
    with refused("primary_ip_already_assigned", "server_has_ipv4"):
        front.assign(host.id, "server")
    wait(front.unassign())
    actions(client.primary_ips, front)
    delete_server(host)
    assert front.delete()


def follows_its_server(client: Client) -> None:
    host = server(client, "owner")
    number = host.public_net.primary_ipv4.id
    delete_server(host)
    with refused("not_found"):
        client.primary_ips.get_by_id(number)
