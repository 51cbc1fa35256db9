"""Where Hetzner's real answers, or its real clients, prove the OpenAPI document wrong. Keep it short."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .profile import OLD


@dataclass(frozen=True)
class Deviation:
    """A problem that is none."""

    where: str
    """A regular expression for `METHOD /path STATUS problem`."""
    why: str
    profile: str | None = None
    """The API date that it is for; none: for each."""


DEVIATIONS = [
    Deviation(
        r".*/datacenter is undocumented",
        "until 2026-07 servers and primary IPs had it; clients of that time fail without",
        profile=OLD,
    ),
    Deviation(
        r"GET \(no path\) 200 is not documented",
        "/datacenters, which the document no longer has, answered until 2026-10",
        profile=OLD,
    ),
    Deviation(
        r".*/deprecated is undocumented",
        "until 2026-11 images and server types had it; clients of that time fail without",
        profile=OLD,
    ),
    Deviation(
        r"GET /actions 200 /meta is undocumented",
        "hcloud-go reads it page by page like every list, and so does the real one answer",
    ),
    Deviation(
        r"\w+ \(no path\) (404|410) is not documented|.* 405 is not documented",
        "paths that are gone or never were, and methods that a path does not have, are answered, too",
    ),
]


def is_known(problem: str, profile: str) -> bool:
    return any(
        deviation.profile in (None, profile) and re.fullmatch(deviation.where, problem) for deviation in DEVIATIONS
    )
