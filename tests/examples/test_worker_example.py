"""examples/worker.py prints what it should."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "worker.py"
PRINTED = """\
attempt 1 to ship cake
attempt 1 to ship unicorn
attempt 2 to ship cake
mail: cake is on its way
dead: unicorn, there are none
"""


def test_a_retry_a_mail_and_a_dead_letter(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, EXAMPLE], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, PRINTED, "")
