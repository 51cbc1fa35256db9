"""Writes what became of each task as a line of JSON, for the driver to read."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: rows
type: stdout
short_description: each task as a line of JSON in the file $CONFORMANCE_ROWS
description: each task as a line of JSON in the file $CONFORMANCE_ROWS
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "rows"

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, failed=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write(result, failed=True, message="ansible skipped it")

    def _write(self, result: Any, failed: bool, message: str = "") -> None:
        line = {
            "play": self._play,
            "module": result.task.action,
            "task": result.task.get_name(),
            "changed": bool(result.result.get("changed")),
            "failed": failed,
            "message": message or str(result.result.get("msg", "")),
        }
        with open(os.environ["CONFORMANCE_ROWS"], "a") as file:
            print(json.dumps(line), file=file)
