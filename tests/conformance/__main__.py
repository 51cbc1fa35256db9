"""Runs everything and writes the report: `python -m conformance PROGRAM TOOLS REPORT`."""

from __future__ import annotations

import sys

from .run import main

sys.exit(main())
