"""examples/transactional_send.py prints what it promises."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "transactional_send.py"

PRINTED = """\
rolled back: an order of 0 cake
stored: 2 tea
stored: 1 milk
to ship: tea
to ship: milk
"""


def test_order_and_message_come_and_go_together() -> None:
    ended = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, PRINTED, "")
