"""The command line. Heavy imports are deferred into the commands to keep ``relax --help`` fast."""

from __future__ import annotations

import signal
import warnings
from collections import Counter
from typing import Annotated, Any

import typer

from relax._support.version import __version__
from relax.cli.compare import compare
from relax.cli.data import data
from relax.cli.duplicates import duplicates
from relax.cli.evaluate import evaluate
from relax.cli.explain import demo, explain
from relax.cli.export import export
from relax.cli.help import Command, Group
from relax.cli.index import index
from relax.cli.insight import insight
from relax.cli.listing import list_
from relax.cli.match import match
from relax.cli.messages import Exit, emit, say
from relax.cli.run import run
from relax.cli.train import train
from relax.errors import RelaxError, RelaxWarning


class _Reporting(Group):
    """Runs a command; turns the package's errors into one line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted; finished files are kept")
            raise typer.Exit(Exit.INTERRUPTED) from None
        except RelaxError as error:
            say(f"error: {error}")
            raise typer.Exit(Exit.BAD_INPUT) from error
        except BrokenPipeError:  # the reader has left, such as `head`; typer exits quietly
            raise
        except OSError as error:  # such as a full disk
            place = f"{error.filename}: " if error.filename else ""
            say(f"error: {place}{error.strerror or error}")
            raise typer.Exit(Exit.BAD_INPUT) from error


app = typer.Typer(
    name="relax",
    cls=_Reporting,
    help="What is this embedding made of, and how sure are we?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the ``relax`` command."""
    warnings.showwarning = _show_warning
    signal.signal(signal.SIGTERM, _interrupt)
    app()


def _version(requested: bool) -> None:
    if requested:
        emit(f"relax {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    pass


app.command(cls=Command)(explain)
app.command(cls=Command)(compare)
app.command(cls=Command)(match)
app.command(cls=Command)(run)
app.command(cls=Command)(insight)
app.command(cls=Command)(export)
app.command(cls=Command)(index)
app.command(cls=Command)(duplicates)
app.command(cls=Command)(evaluate)
app.command(cls=Command)(data)
app.command(cls=Command)(train)
app.command("list", cls=Command)(list_)
app.command(cls=Command)(demo)


_shown_messages: set[str] = set()
_reason_counts: Counter[str] = Counter()

MAX_REPEATS = 3
"""How often a note with the same reason (the text after the last colon) is shown for different files."""


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Show a warning of the package as a note; the same note once, and similar ones a few times."""
    if not issubclass(category, RelaxWarning) or str(message) in _shown_messages:
        return
    _shown_messages.add(str(message))  # a picture may be read several times
    reason = str(message).rpartition(": ")[2]
    _reason_counts[reason] += 1
    if _reason_counts[reason] <= MAX_REPEATS:
        say(f"note: {message}")
    elif _reason_counts[reason] == MAX_REPEATS + 1:
        say("note: further notes of this kind are not shown")


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
