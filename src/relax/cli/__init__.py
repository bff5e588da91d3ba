"""The command line. Heavy imports wait inside the commands, so that ``relax --help`` answers at once."""

from __future__ import annotations

import signal
import warnings
from collections import Counter
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from relax._support.version import __version__
from relax.cli.compare import compare
from relax.cli.data import data
from relax.cli.evaluate import evaluate
from relax.cli.explain import demo, explain
from relax.cli.index import index
from relax.cli.listing import list_
from relax.cli.match import duplicates, match
from relax.cli.messages import Exit, output, say
from relax.cli.train import train
from relax.errors import RelaxError, RelaxWarning


class _Reporting(TyperGroup):
    """Runs a command; errors of the package become one line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted; finished files are kept")
            raise typer.Exit(Exit.INTERRUPTED) from None
        except RelaxError as error:
            say(f"error: {error}")
            raise typer.Exit(Exit.BAD_INPUT) from error
        except OSError as error:  # such as of a disk that is full
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
    """Entry point."""
    warnings.showwarning = _show_warning
    signal.signal(signal.SIGTERM, _interrupt)
    app()


def _version(asked: bool) -> None:
    if asked:
        output(f"relax {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    pass


app.command()(explain)
app.command()(compare)
app.command()(match)
app.command()(index)
app.command()(duplicates)
app.command()(evaluate)
app.command()(data)
app.command()(train)
app.command("list")(list_)
app.command()(demo)


_said: set[str] = set()
_reasons: Counter[str] = Counter()

SHOWN = 3
"""Notes of a kind, which differ in the name before the colon, that are shown."""


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if not issubclass(category, RelaxWarning) or str(message) in _said:
        return
    _said.add(str(message))  # a picture may be read several times
    reason = str(message).rpartition(": ")[2]
    _reasons[reason] += 1
    if _reasons[reason] <= SHOWN:
        say(f"note: {message}")
    elif _reasons[reason] == SHOWN + 1:
        say("note: more of that kind are not shown")


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
