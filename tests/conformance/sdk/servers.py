"""`client.servers`: life, power and what can be done to a server's disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hcloud import Client
from hcloud.images import Image
from hcloud.isos import Iso
from hcloud.server_types import ServerType
from hcloud.servers.domain import ServerCreatePublicNetwork

from ..keys import public_key
from ..waiting import until
from .scene import SMALL, actions, delete_server, ids, lists, refused, server, wait


def life(client: Client) -> None:
    key = client.ssh_keys.create(name="mine", public_key=public_key("python-server"))
    made = client.servers.create(name="web", **SMALL, ssh_keys=[key], labels={"for": "us"}, user_data="#cloud-config\n")
    assert made.root_password is None and made.server.status == "initializing", made.server.status
    wait(made.action, *made.next_actions)
    web = made.server
    web.reload()
    assert (web.status, web.server_type.name, web.image.name) == ("running", "cx23", "debian-13"), web
    assert web.location.name == "fsn1" and web.labels == {"for": "us"}, web.location
    lists(client.servers, web, label_selector="for=us", status=["running"])
    with refused("uniqueness_error"):
        client.servers.create(name="web", **SMALL)
    with refused("invalid_input"):
        client.servers.create(name="no_host_name", **SMALL)
    with refused("invalid_input", "not_found"):
        client.servers.create(**{**SMALL, "name": "odd", "server_type": ServerType(name="no-such-type")})

    web = web.update(name="site", labels={"tier": "one"})
    assert (web.name, web.labels) == ("site", {"tier": "one"}), web
    wait(web.change_protection(delete=True, rebuild=True))
    with refused("protected"):
        web.delete()
    with refused("protected"):
        web.rebuild(Image(name="debian-12"))
    wait(web.change_protection(delete=False, rebuild=False))
    actions(client.servers, web, at_least=4)
    action = client.actions.get_by_id(made.action.id)
    action.reload()
    assert action.status == "success" and action.progress == 100, action
    delete_server(web)
    assert client.servers.get_by_name("site") is None
    assert key.delete()


def power(client: Client) -> None:
    made = client.servers.create(name="engine", **SMALL, start_after_create=False)
    assert made.root_password, made
    wait(made.action, *made.next_actions)
    engine = made.server

    def status() -> str:
        engine.reload()
        return str(engine.status)

    assert status() == "off"
    wait(engine.power_on())
    assert status() == "running"
    wait(engine.reboot())
    wait(engine.reset())
    assert status() == "running"
    reset = engine.reset_password()
    wait(reset.action)
    assert reset.root_password, reset
    console = engine.request_console()
    wait(console.action)
    assert console.wss_url.startswith("wss://") and console.password, console
    wait(engine.shutdown())
    # its success says that the signal was sent, not that the server is off
    until(lambda: status() == "off")
    wait(engine.power_off())
    assert status() == "off"
    delete_server(engine)


def resize(client: Client) -> None:
    grow = server(client, "grow")
    bigger = ServerType(name="cx33")
    with refused("server_not_stopped"):
        grow.change_type(bigger, upgrade_disk=True)
    wait(grow.power_off())
    wait(grow.change_type(bigger, upgrade_disk=True))
    grow.reload()
    assert (grow.server_type.name, grow.primary_disk_size, grow.status) == ("cx33", 80, "running"), grow
    wait(grow.power_off())
    with refused("invalid_server_type", "invalid_input"):
        grow.change_type(ServerType(name="cx23"), upgrade_disk=False)
    with refused("invalid_server_type", "invalid_input"):
        grow.change_type(ServerType(name="cax11"), upgrade_disk=False)
    delete_server(grow)


def recovery(client: Client) -> None:
    key = client.ssh_keys.create(name="medic", public_key=public_key("medic"))
    ill = server(client, "ill")
    rescue = ill.enable_rescue(type="linux64", ssh_keys=[key.id])
    wait(rescue.action)
    ill.reload()
    assert ill.rescue_enabled is True
    wait(ill.disable_rescue())
    wait(ill.enable_backup())
    ill.reload()
    assert ill.rescue_enabled is False and ill.backup_window, ill.backup_window
    wait(ill.disable_backup())
    rebuilt = ill.rebuild(Image(name="debian-12"), user_data="#cloud-config\n")
    wait(rebuilt.action)
    ill.reload()
    assert (ill.image.name, ill.status) == ("debian-12", "running"), ill
    with refused("not_found", "invalid_input"):
        ill.attach_iso(Iso(name="no-such.iso"))
    wait(ill.detach_iso())
    delete_server(ill)
    assert key.delete()


def facts(client: Client) -> None:
    named = server(client, "named")
    address = named.public_net.ipv4.ip
    wait(named.change_dns_ptr(address, "named.example.com"))
    named.reload()
    assert named.public_net.ipv4.dns_ptr == "named.example.com", named.public_net.ipv4
    wait(named.change_dns_ptr(address, None))
    named.reload()
    assert named.public_net.ipv4.dns_ptr not in ("named.example.com", ""), named.public_net.ipv4
    inside = named.public_net.ipv6.ip.replace("::/64", "::1")
    wait(named.change_dns_ptr(inside, "six.example.com"))
    named.reload()
    assert {"ip": inside, "dns_ptr": "six.example.com"} in named.public_net.ipv6.dns_ptr, named.public_net.ipv6
    with refused("invalid_input", "not_found"):
        named.change_dns_ptr("192.0.2.1", "not-mine.example.com")

    now = datetime.now(UTC)
    for kind in ("cpu", "disk", "network"):
        metrics = named.get_metrics(type=kind, start=now - timedelta(hours=1), end=now, step=60).metrics
        assert metrics.time_series, kind
        assert all(series["values"] for series in metrics.time_series.values()), metrics.time_series
    delete_server(named)


def bare(client: Client) -> None:
    """Servers with one address family, and the sort orders and filters of their list."""
    six = server(client, "six", public_net=ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=True))
    assert six.public_net.ipv4 is None and six.public_net.ipv6, six.public_net
    with refused("invalid_input"):
        client.servers.create(
            name="none", **SMALL, public_net=ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=False)
        )
    assert six.id not in ids(client.servers.get_all(status=["off"]))
    assert six.id in ids(client.servers.get_all(status=["off", "running"]))
    delete_server(six)
