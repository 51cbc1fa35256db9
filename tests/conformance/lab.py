"""A lab of our own: the program under test, started and taken down again."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEADLINE = 30
"""Seconds for any command of the lab: it starts in a tenth of one."""


@dataclass(frozen=True)
class Lab:
    """A running `lab api`."""

    profile: str
    endpoint: str
    """`http://127.0.0.1:PORT/v1`"""
    token: str


@contextmanager
def lab(program: Path, home: Path, profile: str) -> Iterator[Lab]:
    """A lab in a directory of its own below `home`; taken down whatever happens."""
    options = ["--api-date", profile, "--speed", "none", "--rate-limit", "none"]
    _run(program, "api", "--detach", "--dir", str(home), *_known(program, options))
    try:
        exports = _exports(_run(program, "env", "--dir", str(home)))
        yield Lab(profile, exports["HCLOUD_ENDPOINT"], exports["HCLOUD_TOKEN"])
    finally:
        _run(program, "down", "--dir", str(home))


def _known(program: Path, options: list[str]) -> list[str]:
    """The options that this program has, each with its value."""
    help_text = _run(program, "api", "--help")
    pairs = zip(options[::2], options[1::2], strict=True)
    return [word for option, value in pairs if option in help_text for word in (option, value)]


def _exports(text: str) -> dict[str, str]:
    return {name: shlex.split(value)[0] for name, value in re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE)}


def _run(program: Path, *words: str) -> str:
    # what is set for another lab, or for the real Hetzner, is not for this one
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HCLOUD_", "CLAWBERTH_"))}
    command = [str(program), "lab", *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)}: {done.stderr.strip()}")
    return done.stdout
