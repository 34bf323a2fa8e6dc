"""The program of test_worker_scenarios.py: its handlers do what their message says, until stdin is closed."""

import logging
import os
import threading
import time

import crossdock

worker = crossdock.Worker(os.environ["JOBS_URL"], grace=os.environ.get("JOBS_GRACE", "30s"))
log = logging.getLogger("jobs")
released = threading.Event()


def wait_for_release() -> None:
    os.read(0, 1)
    released.set()


threading.Thread(target=wait_for_release, daemon=True).start()


@worker.handler("jobs", concurrency=10, lease="1s")
def handle(message: crossdock.Received) -> None:
    log.info("started", extra={"message_id": message.id, "attempt": message.attempt})
    match message.text():
        case "wait":
            released.wait()
        case "long":
            time.sleep(3.2)  # More than three leases. It blocks its thread, as a call of a library would.
        case "raise":
            raise ValueError("no such customer")
        case "reject":
            raise crossdock.Reject("not ours")


@worker.handler("jobs.dlq")
async def bury(letter: crossdock.Received) -> None:
    log.info("dead", extra={"message_id": letter.id, "headers": dict(letter.headers)})
