"""`crossdock bench`: what a store and a door carry, and how far that is from the raw limit of the same machine.

`load` puts messages through one door and counts what was lost, duplicated or out of order. `contest` runs crossdock and
something that does the bare minimum by turns, and compares them.
"""

from .load import Load
from .run import run_load
from .versus import run_versus

__all__ = ["Load", "run_load", "run_versus"]
