"""What tests of a program that uses queues, and of a store, can build on.

The rest is imported from where it is, as it needs packages that a program in production does not have:

- `crossdock.testing.contract.StoreContract` (pytest): every rule that a store keeps, as tests
- `crossdock.testing.machine.store_machine` (hypothesis): any store against the engine, on made-up histories
- `crossdock.testing.power_loss.PowerLossVfs`: what SQLite files look like after a power failure
- `crossdock.testing.disk.SimulatedDisk`: a disk for the log store that loses power, breaks, runs full and rots
- `crossdock.testing.server.RunningServer`: a whole server in a thread
- `crossdock.testing.plugin`: the fixtures `crossdock_clock`, `crossdock_mq` and `crossdock_server`, found by pytest
"""

from .clock import VirtualClock

__all__ = ["VirtualClock"]
