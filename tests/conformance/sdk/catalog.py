"""What nobody can change, what is empty, and what is gone."""

from __future__ import annotations

import warnings

from hcloud import Client

from .scene import lists, refused


def goods(client: Client) -> None:
    for resource, name in ((client.locations, "fsn1"), (client.server_types, "cx23")):
        found = resource.get_by_name(name)
        assert found and found.name == name, name
        lists(resource, found)
        found.reload()
    seen = client.server_types.get_by_name("cx23")
    assert seen and seen.prices and seen.locations, seen


def empty_lists(client: Client) -> None:
    lists = (
        client.isos,
        client.load_balancers,
        client.load_balancer_types,
        client.floating_ips,
        client.certificates,
    )
    for resource in lists:
        assert resource.get_all() == []
        page = resource.get_list(page=1)
        assert page.meta.pagination.total_entries == 0, page
    assert client.isos.get_by_name("no-such.iso") is None


def datacenters_before(client: Client) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = client.datacenters.get_by_name("fsn1-dc14")
        assert found and found.location.name == "fsn1", found
        lists(client.datacenters, found)
        found.reload()


def datacenters_after(client: Client) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for call in (client.datacenters.get_all, client.datacenters.get_list):
            with refused("deprecated_api_endpoint"):
                call()


def all_actions(client: Client) -> None:
    """Gone since 2025: only the look-up of given ids is left, which this method does not offer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for call in (client.actions.get_all, client.actions.get_list):
            with refused("deprecated_api_endpoint"):
                call()
