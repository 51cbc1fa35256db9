"""`client.networks`, and servers in one."""

from __future__ import annotations

from hcloud import Client
from hcloud.networks.domain import NetworkRoute, NetworkSubnet

from .scene import actions, delete_server, lists, refused, server, wait


def _subnet(ip_range: str) -> NetworkSubnet:
    return NetworkSubnet(ip_range=ip_range, type="cloud", network_zone="eu-central")


def life(client: Client) -> None:
    route = NetworkRoute(destination="192.168.9.0/24", gateway="10.0.1.9")
    lan = client.networks.create(
        name="lan", ip_range="10.0.0.0/16", subnets=[_subnet("10.0.1.0/24")], routes=[route], labels={"for": "us"}
    )
    assert (lan.ip_range, lan.subnets[0].ip_range, lan.subnets[0].gateway) == ("10.0.0.0/16", "10.0.1.0/24", "10.0.0.1")
    lists(client.networks, lan, label_selector="for=us")
    wait(lan.add_subnet(_subnet("10.0.2.0/24")))
    with refused("invalid_input", "conflict", "uniqueness_error"):
        lan.add_subnet(_subnet("10.0.2.128/25"))
    with refused("invalid_input"):
        lan.add_subnet(_subnet("10.9.0.0/24"))
    wait(lan.delete_subnet(_subnet("10.0.2.0/24")))
    wait(lan.delete_route(route))
    wait(lan.add_route(NetworkRoute(destination="192.168.8.0/24", gateway="10.0.1.8")))
    wait(lan.change_ip_range("10.0.0.0/8"))
    lan.reload()
    assert (lan.ip_range, len(lan.subnets), lan.routes[0].gateway) == ("10.0.0.0/8", 1, "10.0.1.8"), lan
    lan = lan.update(name="wan", labels={}, expose_routes_to_vswitch=True)
    assert (lan.name, lan.labels, lan.expose_routes_to_vswitch) == ("wan", {}, True), lan
    wait(lan.change_protection(delete=True))
    with refused("protected"):
        lan.delete()
    wait(lan.change_protection(delete=False))
    actions(client.networks, lan, at_least=4)
    assert lan.delete()


def members(client: Client) -> None:
    office = client.networks.create(name="office", ip_range="10.2.0.0/16", subnets=[_subnet("10.2.1.0/24")])
    desk = server(client, "desk", networks=[office])
    [seen] = desk.private_net
    assert seen.network.id == office.id and seen.ip.startswith("10.2.1."), seen.ip
    assert desk.private_net_for(office) is seen
    assert seen.mac_address, seen
    wait(desk.detach_from_network(office))
    wait(desk.attach_to_network(office, ip="10.2.1.7", alias_ips=["10.2.1.8"]))
    with refused("server_already_attached"):
        desk.attach_to_network(office)
    other = server(client, "chair")
    with refused("ip_not_available"):
        other.attach_to_network(office, ip="10.2.1.7")
    wait(desk.change_alias_ips(office, ["10.2.1.9"]))
    desk.reload()
    [seen] = desk.private_net
    assert (seen.ip, seen.alias_ips) == ("10.2.1.7", ["10.2.1.9"]), seen
    office.reload()
    assert [member.id for member in office.servers] == [desk.id], office.servers
    delete_server(other)
    delete_server(desk)
    office.reload()
    assert office.servers == [], office.servers
    assert office.delete()
