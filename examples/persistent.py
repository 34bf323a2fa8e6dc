"""Messages, leases and attempts outlive the process: here each `with` stands for one."""

import tempfile

import crossdock


def send(url: str) -> None:
    with crossdock.connect(url) as mq:
        mq.queue("jobs").send_many(["wash up", "sweep the floor"])
        print("sent 2 jobs")


def crash(url: str) -> None:
    with crossdock.connect(url) as mq:
        (message,) = mq.queue("jobs").receive(lease="100ms")
        print(f"began to {message.text()}, and crashed")


def work(url: str) -> None:
    with crossdock.connect(url) as mq:
        jobs = mq.queue("jobs")
        left = jobs.stats().stored
        print(f"found {left} jobs")
        for message in sorted((take(jobs) for _ in range(left)), key=lambda message: message.id):
            print(f"attempt {message.attempt}: {message.text()}")
            message.ack()
        print(f"left: {jobs.stats().stored}")


def take(jobs: crossdock.Queue) -> crossdock.Delivery:
    (message,) = jobs.receive(wait="10s")
    return message


with tempfile.TemporaryDirectory() as folder:
    for store in ("sqlite:///{}/jobs.db", "log:///{}/jobs"):
        for process in (send, crash, work):
            process(store.format(folder))
