"""`client.zones`: zones, their records, and zone files."""

from __future__ import annotations

from hcloud import Client
from hcloud.zones.domain import ZonePrimaryNameserver, ZoneRecord, ZoneRRSet

from .scene import actions, ids, refused, wait

FILE = """$ORIGIN example.org.
$TTL 300
@ IN SOA hydrogen.ns.hetzner.com. dns.hetzner.com. 2026010100 86400 10800 3600000 3600
@ IN NS hydrogen.ns.hetzner.com.
@ IN NS oxygen.ns.hetzner.com.
@ IN NS helium.ns.hetzner.de.
www 600 IN A 203.0.113.7
@ IN TXT "from a file"
"""


def life(client: Client) -> None:
    first = ZoneRRSet(name="www", type="A", records=[ZoneRecord("203.0.113.1", "web")])
    made = client.zones.create(name="example.com", mode="primary", ttl=600, labels={"for": "us"}, rrsets=[first])
    wait(made.action)
    zone = client.zones.get(made.zone.id)
    assert (zone.name, zone.mode, zone.ttl, zone.status) == ("example.com", "primary", 600, "ok"), zone
    assert client.zones.get("example.com").has_id_or_name(zone.id) and client.zones.get(zone.id).has_id_or_name(
        zone.name
    )
    assert zone.id in ids(client.zones.get_all(label_selector="for=us", mode="primary", sort=["name:desc"]))
    assert zone.id in ids(client.zones.get_list(name="example.com").zones)
    with refused("uniqueness_error"):
        client.zones.create(name="example.com", mode="primary")
    with refused("invalid_input"):
        client.zones.create(name="no zone", mode="primary")

    zone = zone.update(labels={"tier": "one"})
    assert zone.labels == {"tier": "one"}, zone.labels
    wait(zone.change_ttl(900))
    wait(zone.change_protection(delete=True))
    with refused("protected"):
        zone.delete()
    zone = client.zones.get(zone.id)
    assert (zone.ttl, zone.protection["delete"]) == (900, True), zone
    wait(zone.change_protection(delete=False))
    actions(client.zones, zone, at_least=3)
    wait(zone.delete().action)
    with refused("not_found"):
        client.zones.get("example.com")


def records(client: Client) -> None:
    zone = client.zones.create(name="example.net", mode="primary").zone
    made = zone.create_rrset(name="www", type="A", ttl=60, labels={"a": "b"}, records=[ZoneRecord("203.0.113.1")])
    wait(made.action)
    www = made.rrset
    assert (www.id, www.ttl, www.labels) == ("www/A", 60, {"a": "b"}), www
    with refused("uniqueness_error"):
        zone.create_rrset(name="www", type="A", records=[ZoneRecord("203.0.113.2")])
    with refused("invalid_input"):
        zone.create_rrset(name="mail", type="A", records=[ZoneRecord("no address")])
    www.reload()
    assert zone.get_rrset("www", "A").to_payload() == www.to_payload()
    assert www.id in ids(zone.get_rrset_all(name="www", type=["A"], label_selector="a=b", sort=["name"]))
    assert www.id in ids(zone.get_rrset_list(type=["A", "AAAA"], per_page=50).rrsets)

    def values() -> list[tuple[str, str]]:
        return [(record.value, record.comment or "") for record in zone.get_rrset("www", "A").records]

    wait(www.add_rrset_records([ZoneRecord("203.0.113.2", "two")]))
    wait(www.update_rrset_records([ZoneRecord("203.0.113.1", "one")]))
    assert values() == [("203.0.113.1", "one"), ("203.0.113.2", "two")], values()
    wait(www.remove_rrset_records([ZoneRecord("203.0.113.1")]))
    wait(www.change_rrset_ttl(120))
    wait(www.set_rrset_records([ZoneRecord("203.0.113.3")]))
    assert values() == [("203.0.113.3", "")], values()
    www = www.update_rrset(labels={})
    assert (www.labels, www.ttl) == ({}, 120), www
    wait(www.change_rrset_protection(change=True))
    with refused("protected"):
        www.set_rrset_records([ZoneRecord("203.0.113.4")])
    wait(www.change_rrset_protection(change=False))
    new = ZoneRRSet(zone=zone, name="new", type="AAAA")
    wait(client.zones.add_rrset_records(new, [ZoneRecord("2001:db8::1")], ttl=300))
    assert zone.get_rrset("new", "AAAA").ttl == 300
    wait(www.delete_rrset().action)
    with refused("not_found"):
        zone.get_rrset("www", "A")
    wait(zone.delete().action)


def records_by_their_zone(client: Client) -> None:
    """The same, asked of the zone."""
    zone = client.zones.create(name="zone.example.net", mode="primary").zone
    api = zone.create_rrset(name="api", type="A", records=[ZoneRecord("203.0.113.1")]).rrset
    wait(zone.add_rrset_records(api, [ZoneRecord("203.0.113.2")]))
    wait(zone.update_rrset_records(api, [ZoneRecord("203.0.113.2", "two")]))
    wait(zone.remove_rrset_records(api, [ZoneRecord("203.0.113.1")]))
    wait(zone.change_rrset_ttl(api, 120))
    api = zone.update_rrset(api, labels={"a": "b"})
    assert [record.comment for record in api.records] == ["two"] and (api.ttl, api.labels) == (120, {"a": "b"}), api
    wait(zone.set_rrset_records(api, [ZoneRecord("203.0.113.3")]))
    wait(zone.change_rrset_protection(api, change=True))
    with refused("protected"):
        zone.delete_rrset(api)
    wait(zone.change_rrset_protection(api, change=False))
    wait(zone.delete_rrset(api).action)
    wait(zone.delete().action)


def files(client: Client) -> None:
    made = client.zones.create(name="example.org", mode="primary", zonefile=FILE)
    wait(made.action)
    zone = made.zone
    assert zone.get_rrset("www", "A").records[0].value == "203.0.113.7"
    text = zone.export_zonefile().zonefile
    assert "203.0.113.7" in text and "from a file" in text and "SOA" in text, text
    wait(zone.import_zonefile(FILE.replace("203.0.113.7", "203.0.113.8")))
    assert zone.get_rrset("www", "A").records[0].value == "203.0.113.8"
    with refused("invalid_input"):
        zone.import_zonefile("www IN A nonsense\n")
    wait(zone.delete().action)


def secondary(client: Client) -> None:
    there = ZonePrimaryNameserver(address="203.0.113.53", port=5353)
    made = client.zones.create(name="second.example.com", mode="secondary", primary_nameservers=[there])
    wait(made.action)
    zone = made.zone
    assert [server.address for server in zone.primary_nameservers] == ["203.0.113.53"], zone.primary_nameservers
    wait(zone.change_primary_nameservers([ZonePrimaryNameserver(address="203.0.113.54")]))
    zone = client.zones.get(zone.id)
    assert [server.address for server in zone.primary_nameservers] == ["203.0.113.54"], zone.primary_nameservers
    with refused("incorrect_zone_mode"):
        zone.export_zonefile()
    with refused("incorrect_zone_mode"):
        zone.create_rrset(name="www", type="A", records=[ZoneRecord("203.0.113.1")])
    wait(zone.delete().action)
