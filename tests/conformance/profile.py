"""The API dates that the lab can play."""

OLD = "2026-06"
"""With `datacenter` and `deprecated`, which older clients need."""
NEW = "2026-11"
"""Without them."""
