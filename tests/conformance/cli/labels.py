"""`add-label` and `remove-label`, which every kind has."""

from __future__ import annotations

from .hcloud import Hcloud


def labels(hcloud: Hcloud, kind: str, name: str) -> None:
    """Adds, overwrites and removes a label of a resource."""
    if not hcloud.offers(f"{kind} add-label"):
        return
    hcloud.run(kind, "add-label", name, "tier=one")
    hcloud.refused(kind, "add-label", name, "tier=two")
    hcloud.run(kind, "add-label", "--overwrite", name, "tier=two")
    seen = hcloud.describe(kind, name)["labels"]
    assert seen.get("tier") == "two", seen
    hcloud.refused(kind, "add-label", name, "-bad-=x")
    hcloud.run(kind, "remove-label", name, "tier")
    seen = hcloud.describe(kind, name)["labels"]
    assert "tier" not in seen, seen
