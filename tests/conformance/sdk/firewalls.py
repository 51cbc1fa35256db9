"""`client.firewalls`."""

from __future__ import annotations

from hcloud import Client
from hcloud.firewalls.domain import FirewallResource, FirewallResourceLabelSelector, FirewallRule

from .scene import actions, delete_server, lists, refused, server, wait

SSH = FirewallRule(direction="in", protocol="tcp", port="22", source_ips=["203.0.113.0/24"], description="ssh")
OUT = FirewallRule(direction="out", protocol="udp", port="1-1024", destination_ips=["0.0.0.0/0"], source_ips=[])


def rules(client: Client) -> None:
    made = client.firewalls.create(name="wall", rules=[SSH], labels={"for": "us"})
    wall = made.firewall
    assert [(rule.port, rule.description) for rule in wall.rules] == [("22", "ssh")], wall.rules
    lists(client.firewalls, wall, label_selector="for=us")
    wait(*wall.set_rules([SSH, OUT]))
    wall.reload()
    assert [rule.direction for rule in wall.rules] == ["in", "out"], wall.rules
    with refused("invalid_input"):
        wall.set_rules([FirewallRule(direction="in", protocol="tcp", port="22", source_ips=["203.0.113.1/24"])])
    with refused("invalid_input"):
        wall.set_rules([FirewallRule(direction="in", protocol="icmp", port="22", source_ips=["0.0.0.0/0"])])
    assert len(client.firewalls.get_by_id(wall.id).rules) == 2
    actions(client.firewalls, wall)
    wall = wall.update(name="rampart", labels={})
    assert (wall.name, wall.labels) == ("rampart", {}), wall
    assert wall.delete()


def targets(client: Client) -> None:
    guarded = server(client, "guarded", labels={"role": "web"})
    by_server = FirewallResource(type="server", server=guarded)
    by_label = FirewallResource(
        type="label_selector", label_selector=FirewallResourceLabelSelector(selector="role in (web, db)")
    )
    gate = client.firewalls.create(name="gate", resources=[by_server]).firewall
    assert [target.server.id for target in gate.applied_to] == [guarded.id], gate.applied_to
    with refused("firewall_already_applied"):
        gate.apply_to_resources([by_server])
    with refused("resource_in_use"):
        gate.delete()
    wait(*gate.remove_from_resources([by_server]))
    wait(*gate.apply_to_resources([by_label]))
    gate.reload()
    [target] = gate.applied_to
    assert target.label_selector.selector == "role in (web, db)", target
    assert [resource.server.id for resource in target.applied_to_resources] == [guarded.id], target
    guarded.reload()
    assert [f.firewall.id for f in guarded.public_net.firewalls] == [gate.id], guarded.public_net.firewalls
    with refused("firewall_managed_by_label_selector"):
        gate.remove_from_resources([by_server])
    wait(*gate.remove_from_resources([by_label]))
    delete_server(guarded)
    assert gate.delete()
