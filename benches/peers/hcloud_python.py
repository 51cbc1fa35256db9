"""Creates or deletes servers with Python's hcloud, with a key and a firewall: hcloud_python.py create|delete WISH WAY.

WISH is a file with what is wanted. WAY says how creates are waited for: `each`, as its documentation shows, here all of them side
by side; or `after`, one after the other when all creates are sent, which asks for as little as this client lets one.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hcloud import Client
from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

verb, wish, way = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]
client = Client(os.environ["HCLOUD_TOKEN"], api_endpoint=os.environ["HCLOUD_ENDPOINT"])


def send(name, key, firewall):
    return client.servers.create(
        name=name,
        server_type=ServerType(name=wish["server_type"]),
        image=Image(name=wish["image"]),
        location=Location(name=wish["location"]),
        ssh_keys=[key],
        firewalls=[firewall],
        labels=wish["labels"],
        user_data=wish["user_data"],
    )


def wait(created):
    for action in [created.action, *created.next_actions]:
        action.wait_until_finished(max_retries=300)


def remove(name):
    client.servers.delete(client.servers.get_by_name(name)).wait_until_finished()


with ThreadPoolExecutor(len(wish["names"])) as pool:
    if verb == "create":
        key = client.ssh_keys.create(wish["common"], wish["public_key"])
        rules = [FirewallRule(**rule) for rule in wish["rules"]]
        firewall = client.firewalls.create(wish["common"], rules).firewall
        if way == "each":
            list(pool.map(lambda name: wait(send(name, key, firewall)), wish["names"]))
        else:
            for created in list(pool.map(lambda name: send(name, key, firewall), wish["names"])):
                wait(created)
    else:
        list(pool.map(remove, wish["names"]))
        client.firewalls.get_by_name(wish["common"]).delete()
        client.ssh_keys.get_by_name(wish["common"]).delete()
