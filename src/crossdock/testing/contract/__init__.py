"""The store contract: a store is right when these tests pass on it unedited.

    from crossdock.testing.contract import DurabilityContract, StoreContract

    class TestMyStore(StoreContract):
        def make_store(self, folder):
            return MyStore(folder / "jobs.db")

`DurabilityContract` is for stores that find their state again after a restart. Needs pytest.
"""

from .bounds import BoundsContract
from .counting import CountingContract
from .dead_letters import DeadLettersContract
from .dedup import DedupContract
from .durability import DurabilityContract
from .expiry import ExpiryContract
from .groups import GroupsContract
from .leases import LeasesContract
from .looking import BrowseContract, MessageContract, PeekContract
from .ordering import OrderingContract
from .ordering_keys import OrderingKeysContract
from .queues import PauseContract, QueuesContract, SettingsContract
from .redrive import RedriveContract
from .removal import RemovalContract
from .retries import RetriesContract
from .ticking import TickContract

__all__ = ["DurabilityContract", "StoreContract"]


class StoreContract(
    OrderingContract,
    OrderingKeysContract,
    GroupsContract,
    LeasesContract,
    RetriesContract,
    DeadLettersContract,
    RedriveContract,
    ExpiryContract,
    DedupContract,
    BoundsContract,
    QueuesContract,
    SettingsContract,
    PauseContract,
    PeekContract,
    BrowseContract,
    MessageContract,
    RemovalContract,
    CountingContract,
    TickContract,
):
    """Every rule of the queue, for any store."""
