"""The ``attractor`` command: parses, calls tasks, prints."""

from __future__ import annotations

import io
import logging
import os
import sys

import typer

from attractor import __version__
from attractor.cli import (
    bench,
    convert,
    demo,
    detect,
    export,
    graphs,
    inpaint,
    inspect,
    nodes,
    pretrain,
    push,
    reproduce,
)
from attractor.console import stderr
from attractor.errors import InputError

INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Energy-based transformers that work. Results go to stdout, progress to stderr; "
    "exit code 0, 1 (failed) or 2 (bad usage or bad input).",
)
app.add_typer(detect.app, name="detect")
app.add_typer(inpaint.app, name="inpaint")
app.add_typer(nodes.app, name="nodes")
app.add_typer(graphs.app, name="graphs")
app.command()(demo.demo)
app.command()(pretrain.pretrain)
app.command()(inspect.inspect)
app.command()(convert.convert)
app.command()(export.export)
app.command()(bench.bench)
app.command()(reproduce.reproduce)
app.command()(push.push)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"attractor {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what happens to stderr."),
) -> None:
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s", stream=sys.stderr)


def main() -> None:
    """Run the command; errors are one line, tracebacks only with ATTRACTOR_DEBUG=1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold what this terminal cannot show
    try:
        app()
    except InputError as error:
        _fail(error, str(error), 2)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # Typer's, which has caught the KeyboardInterrupt
            again = "run the same command again to go on, with --resume where it has that option"
            _fail(end, f"interrupted; what was already written is whole: {again}", 1)
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # of a path that is too long, or shut off
            _fail(error, f"{error.filename}: {error.strerror}; check the path", 2)
        _fail(error, f"{type(error).__name__}: {error} (ATTRACTOR_DEBUG=1 shows where)", 1)


def _fail(error: BaseException, message: str, code: int) -> None:
    if os.environ.get("ATTRACTOR_DEBUG"):
        raise error
    stderr.print("attractor:", *message.split())
    raise SystemExit(code) from None
