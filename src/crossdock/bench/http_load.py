"""A load on a server, made by processes of their own, so that what is measured is the server and not the generator."""

import asyncio
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Any

import uvloop
from msgspec import Struct

from .drive import at_once, receive_all, send_all
from .http_caller import HttpCaller, connect
from .load import Load
from .pace import SECOND, Clock, SystemClock
from .report import BenchFailed, cores
from .tally import Tally, together

PROCESSES_MAX = 4
"""Most processes that send, and most that receive."""
LEAD_NS = SECOND // 20
"""From the word to the first send."""


class Part(Struct):
    """What one process does: the numbers of its senders, or how many receivers it runs."""

    senders: list[int]
    receivers: int


class Target(Struct):
    """Where the load goes."""

    url: str
    queue: str
    api_key: str = ""


class Generator:
    """The processes of one load, connected and waiting for the word."""

    def __init__(self, target: Target, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        self._sent = context.Event()
        self._workers: list[tuple[BaseProcess, Connection]] = []
        self._parts = parts(load, cores())
        for part in self._parts:
            ours, theirs = context.Pipe()
            arguments = (theirs, target, load, part, self._sent)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._workers.append((process, ours))

    def __enter__(self) -> "Generator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, pipe in self._workers:
            pipe.close()
            if kind is not None:
                process.terminate()
            process.join()

    def run(self, clock: Clock) -> tuple[Tally, int]:
        """Give the word and wait for the end; returns the notes and when it began. Raises BenchFailed."""
        for _, pipe in self._workers:
            _take(pipe)
        begin = clock.now() + LEAD_NS
        for _, pipe in self._workers:
            pipe.send(begin)
        tallies: dict[Any, Tally] = {}
        pipes: list[Any] = [pipe for _, pipe in self._workers]
        sending = {pipe for pipe, part in zip(pipes, self._parts, strict=True) if part.senders}
        while len(tallies) < len(pipes):
            for ready in wait([pipe for pipe in pipes if pipe not in tallies]):
                tallies[ready] = _take(ready)
            if sending <= tallies.keys():
                self._sent.set()
        return together(tallies.values()), begin


def parts(load: Load, cores: int) -> list[Part]:
    """Split a load between processes: not so many that they take the server's core from it."""
    most = min(PROCESSES_MAX, max(1, cores // 2))
    senders = [Part(list(range(load.senders))[place::most], 0) for place in range(min(most, load.senders))]
    count = min(most, load.receivers)
    receivers = [Part([], load.receivers // count + (place < load.receivers % count)) for place in range(count)]
    return senders + receivers


def _take(pipe: Any) -> Any:
    """What a process has to say; what went wrong there is raised here."""
    try:
        said = pipe.recv()
    except EOFError as error:
        raise BenchFailed("a process of the generator has died") from error
    if isinstance(said, Exception):
        raise said
    return said


def _work(pipe: Connection, target: Target, load: Load, part: Part, sent: Event) -> None:
    """A process of the generator."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            pipe.send(runner.run(_part(pipe, target, load, part, sent.is_set)))
        except (BrokenPipeError, EOFError, KeyboardInterrupt):
            os._exit(1)  # Whoever asked for the load has gone.
        except Exception as error:
            pipe.send(BenchFailed(str(error)))


async def _part(pipe: Connection, target: Target, load: Load, part: Part, all_sent: Callable[[], bool]) -> Tally:
    callers = await at_once(_connect(target) for _ in range(len(part.senders) + part.receivers))
    clock = SystemClock()
    pipe.send("ready")
    begin: int = pipe.recv()
    await clock.until(begin)
    if part.senders:
        return await send_all(load, part.senders, callers, clock, begin)
    return await receive_all(load, callers, clock, begin, all_sent)


async def _connect(target: Target) -> HttpCaller:
    return await connect(target.url, target.queue, target.api_key)


async def _once(target: Target, step: Callable[[HttpCaller], Awaitable[None]]) -> None:
    """Do something over a connection of its own."""
    caller = await _connect(target)
    try:
        await step(caller)
    finally:
        caller.close()


def http_load(target: Target, load: Load, clock: Clock) -> tuple[Tally, int]:
    """Put `load` through a new queue of a server; returns the notes and when it began. Raises BenchFailed."""
    asyncio.run(_once(target, HttpCaller.create))
    with Generator(target, load) as generator:
        result = generator.run(clock)
    asyncio.run(_once(target, HttpCaller.delete))
    return result
