"""Each example ends by itself and prints what it should."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

PRINTED = {
    "basic": """\
packed 2 tea
attempt 2: packed cake
given up: unicorn, there are none
3 sent, 2 acked, 0 left
""",
    "pub_sub": """\
subscribers: alice, bob
alice reads 'it rains'
alice reads 'good night'
bob reads 'it rains'
bob reads 'good night'
waiting for alice: 1 message
""",
    "persistent": """\
sent 2 jobs
began to wash up, and crashed
found 2 jobs
attempt 2: wash up
attempt 1: sweep the floor
left: 0
sent 2 jobs
began to wash up, and crashed
found 2 jobs
attempt 2: wash up
attempt 1: sweep the floor
left: 0
""",
    "consumer_groups": """\
anna packs order 1
ben packs order 2
anna packs order 3
ben packs order 4
anna goes home with order 5 on the table
ben packs order 5, which is attempt 2
order 1 is billed
order 2 is billed
order 3 is billed
order 4 is billed
order 5 is billed
0 orders left
""",
    "delayed_messages": """\
3 are delayed
finish the coffee
put on shoes
leave the house
1 expired, 1 is delayed until next year
""",
    "priority_queue": """\
0  the roof leaks
0  the cellar burns
-1  the fire brigade rings
5  answer the mail
5  order paper
9  dust the lamps
""",
}


@pytest.mark.parametrize("name", PRINTED)
def test_example(tmp_path: Path, name: str) -> None:
    run = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, PRINTED[name], "")


def test_no_example_is_forgotten() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.stem}"' in tests or f'"{path.name}"' in tests, path.name
