"""The demo on the terminal: live where there is one, a line now and then where there is none."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from .traffic import Sent

__all__ = ["progress"]

LINE_SECONDS = 10.0
FRAME_SECONDS = 0.25


@asynccontextmanager
async def progress(console: Console, sent: Sent, seconds: float) -> AsyncIterator[None]:
    """Show what has been sent so far, until the block is left."""
    started = time.monotonic()

    def elapsed() -> float:
        return min(seconds, time.monotonic() - started)

    show = _live if console.is_terminal else _lines
    task = asyncio.create_task(show(console, sent, elapsed, seconds))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _live(console: Console, sent: Sent, elapsed: Callable[[], float], seconds: float) -> None:
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            live.update(_frame(sent, elapsed(), seconds))
            await asyncio.sleep(FRAME_SECONDS)


async def _lines(console: Console, sent: Sent, elapsed: Callable[[], float], seconds: float) -> None:
    while True:
        await asyncio.sleep(LINE_SECONDS)
        console.print(f"{elapsed():4.0f} of {seconds:.0f} s: {_counts(sent)}", highlight=False)


def _counts(sent: Sent) -> str:
    return f"{sent.updates.total()} updates, {sent.http.total()} HTTP requests, {sent.error_events} failures on purpose"


def _frame(sent: Sent, elapsed: float, seconds: float) -> Table:
    table = Table(title=f"{elapsed:.0f} of {seconds:.0f} seconds", title_justify="left", show_header=False, box=None)
    table.add_row("", ProgressBar(total=seconds, completed=elapsed, width=40))
    for kind in ("text", "command", "photo", "voice", "other"):
        table.add_row(kind, str(sent.updates[kind, "success"] + sent.updates[kind, "error"]))
    table.add_row("HTTP", str(sent.http.total()))
    table.add_row("failures on purpose", str(sent.error_events))
    return table
