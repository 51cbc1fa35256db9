"""The `hcloud` command: run as a person would, with its JSON read back."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from ..ledger import Ledger
from ..profile import OLD
from ..stage import Stage

DEADLINE = 60
"""Seconds for one command, which may wait for an action or two."""


class Hcloud:
    """One version of the program, talking to one lab."""

    def __init__(self, program: Path, stage: Stage) -> None:
        self.program = program
        self.home = stage.home
        self.profile = stage.profile
        self.ledger: Ledger | None = None
        tools = self.home / "bin"
        tools.mkdir(parents=True)
        # `server ssh` hands over to ssh: this one only says what it was told
        (tools / "ssh").write_text('#!/bin/sh\necho "$@"\n')
        (tools / "ssh").chmod(0o755)
        path = f"{tools}:{os.environ['PATH']}"
        api = {"HCLOUD_ENDPOINT": stage.endpoint, "HCLOUD_TOKEN": stage.token}
        self._environment = {"PATH": path, "HOME": str(self.home), **api}

    def leaves(self, *words: str) -> list[str]:
        """All commands that have none below them, from the helps."""
        below = _commands(self._call(*words, "--help").stdout)
        if not below:
            return [" ".join(words)]
        return [leaf for word in below if word != "help" for leaf in self.leaves(*words, word)]

    def offers(self, operation: str) -> bool:
        return self.ledger is not None and self.ledger.offers(operation)

    def run(self, *words: str, stdin: str | None = None) -> str:
        """What a command that must succeed prints."""
        done = self._begin(*words, stdin=stdin)
        assert done.returncode == 0, f"hcloud {shlex.join(words)}: exit {done.returncode}, {done.stderr.strip()}"
        self._done(words)
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "-o", "json"))

    def describe(self, kind: str, name: str) -> dict[str, Any]:
        """A resource as JSON, once the text for people was printed without an error, too."""
        self.run(kind, "describe", name)
        if kind == "placement-group" and self.profile == OLD:
            # 1.30 cannot read the answer when it is to show it as JSON
            return next(entry for entry in self.listed(kind) if entry["name"] == name)
        return self.json(kind, "describe", name)

    def names(self, kind: str, *options: str) -> set[str]:
        """The names in a list; the table for people is printed as well."""
        table = self.run(kind, "list", *options, "-o", "noheader")
        entries = self.listed(kind, *options)
        lines = len([line for line in table.splitlines() if line.strip()])
        assert lines == len(entries), f"{kind} list: {lines} lines, but {len(entries)} in JSON"
        return {entry["name"] for entry in entries}

    def listed(self, kind: str, *options: str) -> list[dict[str, Any]]:
        """All of a kind, as JSON; an empty list is `null` in older versions."""
        return self.json(kind, "list", *options) or []

    def refused(self, *words: str) -> str:
        """What a command that must fail says."""
        done = self._begin(*words)
        assert done.returncode != 0, f"hcloud {shlex.join(words)} must fail, and says {done.stdout.strip()}"
        return done.stderr

    def gone(self, *words: str) -> None:
        """Runs a command whose endpoint the API has taken away: to be told so is the right answer."""
        said = self.refused(*words)
        assert "deprecated_api_endpoint" in said, said
        self._done(words)

    def _begin(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        if self.ledger:
            self.ledger.begin(self._operation(words))
        return self._call(*words, stdin=stdin)

    def _done(self, words: tuple[str, ...]) -> None:
        if self.ledger:
            self.ledger.done(self._operation(words))

    def _operation(self, words: tuple[str, ...]) -> str:
        return next((w for w in (" ".join(words[:2]), words[0]) if self.offers(w)), " ".join(words[:2]))

    def _call(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.program), *words],
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=self._environment,
            check=False,
        )


def _commands(help_text: str) -> list[str]:
    """The words below `Available Commands:` and the like."""
    _, _, rest = help_text.partition("\nUsage:")
    sections = re.split(r"^(\S.*):$", rest, flags=re.MULTILINE)
    pairs = zip(sections[1::2], sections[2::2], strict=False)
    chosen = [body for title, body in pairs if "Flags" not in title and "Example" not in title]
    return [m[1] for body in chosen for m in re.finditer(r"^  ([a-z][a-z0-9-]*)\s+\S", body, re.MULTILINE)]
