"""`hcloud placement-group`, and servers in one."""

from __future__ import annotations

from .hcloud import Hcloud
from .labels import labels
from .servers import SMALL


def life(hcloud: Hcloud) -> None:
    hcloud.run("placement-group", "create", "--name", "apart", "--type", "spread", "--label", "for=us")
    seen = hcloud.describe("placement-group", "apart")
    assert (seen["type"], seen["labels"], seen["servers"]) == ("spread", {"for": "us"}, []), seen
    labels(hcloud, "placement-group", "apart")
    hcloud.run("placement-group", "update", "apart", "--name", "spread")
    assert hcloud.names("placement-group", "--selector", "for=us") == {"spread"}

    hcloud.run("server", "create", "--name", "left", *SMALL, "--placement-group", "spread")
    assert hcloud.describe("server", "left")["placement_group"]["name"] == "spread"
    hcloud.refused("server", "add-to-placement-group", "left", "--placement-group", "spread")
    hcloud.run("server", "poweroff", "left")
    hcloud.run("server", "remove-from-placement-group", "left")
    assert not hcloud.describe("server", "left")["placement_group"]
    hcloud.run("server", "add-to-placement-group", "left", "--placement-group", "spread")
    assert len(hcloud.describe("placement-group", "spread")["servers"]) == 1
    hcloud.run("server", "delete", "left")
    hcloud.run("placement-group", "delete", "spread")
    assert "spread" not in hcloud.names("placement-group")
