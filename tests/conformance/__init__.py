"""Strangers' clients run against the lab and judge it; `python -m conformance` runs them all."""
