"""What no client offers, and what they take for granted: asked by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import quote

from .api import DEADLINE, Api
from .keys import public_key
from .ledger import Ledger
from .report import Row
from .stage import Stage


def pricing(api: Api) -> None:
    prices = api.ask("GET", "/pricing")["pricing"]
    assert prices["currency"] == "EUR", prices["currency"]
    assert "cx23" in [kind["name"] for kind in prices["server_types"]]


def actions_of_a_thing(api: Api) -> None:
    """`GET /servers/{id}/actions/{action_id}` and its sisters: deprecated, and in no client any more."""
    server = api.ask("POST", "/servers", {"name": "raw", "server_type": "cx23", "image": "debian-13"})
    for action in (server["action"], *server["next_actions"]):
        api.wait(action)
    number = server["server"]["id"]
    image = api.ask("POST", f"/servers/{number}/actions/create_image", {"type": "snapshot"})
    api.wait(image["action"])
    things = {
        "servers": number,
        "images": image["image"]["id"],
        "primary_ips": server["server"]["public_net"]["ipv4"]["id"],
        "firewalls": api.ask("POST", "/firewalls", {"name": "raw"})["firewall"]["id"],
        "volumes": api.ask("POST", "/volumes", {"name": "raw", "size": 10, "location": "fsn1"})["volume"]["id"],
        "networks": api.ask("POST", "/networks", {"name": "raw", "ip_range": "10.0.0.0/8"})["network"]["id"],
        "zones": api.ask("POST", "/zones", {"name": "raw.example.com", "mode": "primary"})["zone"]["id"],
    }
    begun = {
        "images": ("change_protection", {"delete": False}),
        "primary_ips": ("change_protection", {"delete": False}),
        "firewalls": ("set_rules", {"rules": []}),
        "volumes": ("change_protection", {"delete": False}),
        "networks": ("change_protection", {"delete": False}),
        "zones": ("change_protection", {"delete": False}),
    }
    for kind, thing in things.items():
        command = begun.get(kind)
        answer = api.ask("POST", f"/{kind}/{thing}/actions/{command[0]}", command[1]) if command else server
        action = answer["action"] if "action" in answer else answer["actions"][0]
        seen = api.ask("GET", f"/{kind}/{thing}/actions/{action['id']}")["action"]
        assert (seen["id"], seen["command"]) == (action["id"], action["command"]), seen
        assert api.call("GET", f"/{kind}/{thing}/actions/999999999").status == 404
        foreign = api.call("GET", f"/{kind}/999999999/actions/{action['id']}")
        assert foreign.status == 404, foreign


def many_actions(api: Api) -> None:
    """The look-up of several ids, which is all that is left of `GET /actions`."""
    names = ("many-1", "many-2", "many-3")
    wanted = [api.ask("POST", "/zones", {"name": f"{name}.example.com", "mode": "primary"})["action"] for name in names]
    query = "&".join(f"id={action['id']}" for action in wanted)
    seen = api.ask("GET", f"/actions?{query}&page=1&sort=id")["actions"]
    assert [action["id"] for action in seen] == [action["id"] for action in wanted], seen
    assert (answer := api.call("GET", "/actions")).status == 410 and answer.code == "deprecated_api_endpoint", answer
    assert api.call("GET", "/actions?id=abc").status in (400, 422)


def tokens(api: Api) -> None:
    none = api.call("GET", "/servers", Authorization="")
    assert (none.status, none.code) == (401, "unauthorized"), none
    assert none.body["error"]["message"] == "token is required", none
    wrong = api.call("GET", "/servers", Authorization="Bearer " + "x" * 64)
    assert (wrong.status, wrong.code) == (401, "unauthorized"), wrong
    unknown = api.call("GET", "/no_such_route", Authorization="")
    assert (unknown.status, unknown.code) == (404, "not_found"), unknown
    assert len(api.call("GET", "/servers").headers["x-correlation-id"]) >= 16


def methods(api: Api) -> None:
    for method, path in (("PUT", "/servers"), ("DELETE", "/pricing"), ("POST", "/locations")):
        answer = api.call(method, path, {})
        assert answer.status in (404, 405), (method, path, answer)


def broken_bodies(api: Api) -> None:
    for body in (b"{", b"", b"[]", b'"text"', b"\xff\xfe", b"null", b"[" * 100_000):
        answer = api.call("POST", "/ssh_keys", body)
        assert answer.status in (400, 422), (body[:20], answer)
    answer = api.call("POST", "/ssh_keys", b'{"name": "' + b"x" * 10_000_000 + b'"}')
    assert 400 <= answer.status < 500, answer
    wrong = {
        "name": 5,
        "server_type": [],
        "image": {},
        "labels": "none",
        "ssh_keys": "all",
        "start_after_create": "yes",
    }
    right = {"name": "typed", "server_type": "cx23", "image": "debian-13"}
    for field, value in wrong.items():
        answer = api.call("POST", "/servers", {**right, field: value})
        assert answer.status in (400, 422), (field, answer)
    assert api.ask("GET", "/servers?name=typed")["servers"] == []


def one_of_two(api: Api) -> None:
    """Two clients that create the same name at once: one 201, one 409."""
    statuses: list[int] = []

    def create() -> None:
        wish = {"name": "twin", "server_type": "cx23", "image": "debian-13"}
        statuses.append(api.call("POST", "/servers", wish).status)

    clients = [threading.Thread(target=create) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(DEADLINE)
    assert sorted(statuses) == [201] + [409] * 7, statuses


def pages(api: Api) -> None:
    for number in range(7):
        labels = {"page": "yes", "even": str(number % 2 == 0).lower()}
        api.ask(
            "POST", "/ssh_keys", {"name": f"p{number}", "public_key": public_key(f"page {number}"), "labels": labels}
        )
    answer = api.call("GET", "/ssh_keys?label_selector=page&page=2&per_page=3&sort=name:desc&no_such=parameter")
    assert [key["name"] for key in answer.body["ssh_keys"]] == ["p3", "p2", "p1"], answer.body
    meta = {"page": 2, "per_page": 3, "previous_page": 1, "next_page": 3, "last_page": 3, "total_entries": 7}
    assert answer.body["meta"]["pagination"] == meta, answer.body["meta"]
    assert 'rel="next"' in answer.headers["link"] and "page=3" in answer.headers["link"], answer.headers
    assert api.ask("GET", "/ssh_keys?per_page=1000")["meta"]["pagination"]["per_page"] == 50
    for wrong in ("sort=no_such_field", "page=0", "per_page=x", "label_selector=a%20in%20(b"):
        answer = api.call("GET", f"/ssh_keys?{wrong}")
        assert answer.status in (400, 422), (wrong, answer)


def selectors(api: Api) -> None:
    """The whole grammar of label selectors."""
    keys = {"s1": {"env": "prod", "tier": "a"}, "s2": {"env": "dev", "tier": "a"}, "s3": {"tier": ""}, "s4": {}}
    for name, labels in keys.items():
        wish = {"name": name, "public_key": public_key(name), "labels": {**labels, "here": "yes"}}
        api.ask("POST", "/ssh_keys", wish)
    for selector, wanted in {
        "env=prod": {"s1"},
        "env==dev": {"s2"},
        "env!=prod": {"s2", "s3", "s4"},
        "env": {"s1", "s2"},
        "!env": {"s3", "s4"},
        "env in (prod,dev)": {"s1", "s2"},
        "env notin (prod)": {"s2", "s3", "s4"},
        "tier=": {"s3"},
        "env,tier=a,env!=dev": {"s1"},
    }.items():
        query = quote(f"here=yes,{selector}")
        seen = {key["name"] for key in api.ask("GET", f"/ssh_keys?label_selector={query}")["ssh_keys"]}
        assert seen == wanted, (selector, seen)
    for labels in ({"hetzner.cloud/x": "y"}, {"-a": "b"}, {"a": "b c"}, {"a" * 64: "b"}, {"a": "b" * 64}):
        wish = {"name": "wrong", "public_key": public_key("wrong"), "labels": labels}
        answer = api.call("POST", "/ssh_keys", wish)
        assert answer.status == 422, (labels, answer)


def references(api: Api) -> None:
    """Ids come as numbers and as strings, and names do as well."""
    kind = api.ask("GET", "/server_types?name=cx23")["server_types"][0]["id"]
    image = api.ask("GET", "/images?name=debian-13&architecture=x86")["images"][0]["id"]
    ways = [("cx23", "debian-13", "fsn1"), (kind, image, 1), (str(kind), str(image), "1")]
    for number, (server_type, system, location) in enumerate(ways):
        wish = {"name": f"ref-{number}", "server_type": server_type, "image": system, "location": location}
        seen = api.ask("POST", "/servers", wish)["server"]
        assert (seen["server_type"]["id"], seen["image"]["id"], seen["location"]["id"]) == (kind, image, 1), seen


def no_body(api: Api) -> None:
    """204 comes without a body and without a content type: hcloud 1.39 fails on one."""
    key = api.ask("POST", "/ssh_keys", {"name": "gone", "public_key": public_key("gone")})["ssh_key"]["id"]
    answer = api.call("DELETE", f"/ssh_keys/{key}")
    assert (answer.status, answer.body, answer.headers.get("content-type")) == (204, None, None), answer


SCENES: dict[str, Callable[[Api], None]] = {
    "prices": pricing,
    "the actions of one thing": actions_of_a_thing,
    "several actions by id": many_actions,
    "tokens and unknown routes": tokens,
    "methods that are not allowed": methods,
    "bodies that are none": broken_bodies,
    "one name, eight clients at once": one_of_two,
    "pages, order and unknown parameters": pages,
    "label selectors and labels": selectors,
    "ids as numbers and as strings": references,
    "an answer without body": no_body,
}


def play(stage: Stage) -> list[Row]:
    """Each scene is an operation."""
    api = Api(stage.endpoint, stage.token)
    ledger = Ledger(stage.client, SCENES, {})
    for operation, scene in SCENES.items():
        ledger.begin(operation)
        ledger.play(scene, api)
        ledger.done(operation)
    return ledger.rows()
