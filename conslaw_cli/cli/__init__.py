"""The command ``conslaw``: one click command per file, imported when it is run; each parses, calls
the library, prints and exits.

Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 requirement not met, 2 usage
or spec, 3 some job failed, 4 output lost, 130 interrupted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click

from conslaw_cli.cli.options import FAILED, LOST, USAGE, check_memory, pin_blas, say, screen
from conslaw_cli.cli.progress import heartbeat
from conslaw_cli.errors import ConslawError, OutputError, SpecError, one_line
from conslaw_cli.sweeps import signals

_EPILOG = """
Exit codes: 0 done, 1 requirement not met, 2 usage or spec, 3 some job failed, 4 output could not be
written, 130 interrupted.

Completion in bash: eval "$(_CONSLAW_COMPLETE=bash_source conslaw)" in ~/.bashrc; zsh_source and
fish_source are for the other shells.
"""


_CODES: dict[type[ConslawError], int] = {SpecError: USAGE, OutputError: LOST}


COMMANDS = {
    "count": ("count", "Count the conservation laws of an architecture."),
    "describe": ("describe", "Show the layers of an architecture, their shapes and parameters."),
    "flows": ("lists", "List the flows: what moves the parameters."),
    "laws": ("laws", "Find polynomial laws of an architecture, as formulas."),
    "operations": ("lists", "List the operations that networks are made of."),
    "recast": ("recast", "Recast a gradient flow of θ as one of φ(θ), and integrate both."),
    "simulate": ("simulate", "Train in numbers, and watch the known laws hold and move."),
    "sweep": ("sweep", "Count many architectures, resuming where it stopped."),
    "theorems": ("lists", "List the theorems that counts rest on, with their proofs."),
}
"""The module of each command, and what it is in a few words."""


class _Program(click.Group):
    """A group whose commands may raise ConslawError or be interrupted."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            command = getattr(import_module(f"{__name__}.{COMMANDS[name][0]}"), name)
        return name, command, rest

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        # Where --help and --version write. As wide as click would have it, which loads shutil, and
        # with it what compresses files, to find out.
        kwargs.setdefault("terminal_width", max(min(screen()[0] or 80, 80) - 2, 50))
        with _reported():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        pin_blas()
        check_memory()
        with _reported(), heartbeat():
            return super().invoke(ctx)


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Turn what a command raises into a message of one line and an exit code."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = one_line(error.message)
        raise
    except ConslawError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(_CODES.get(type(error), FAILED)) from None
    except KeyboardInterrupt:
        say("Interrupted.")
        raise click.exceptions.Exit(signals.INTERRUPTED) from None


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from conslaw_cli import __version__

        click.echo(f"conslaw {__version__}")
        ctx.exit()


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version.",
)
def main() -> None:
    """Count, find and certify the conservation laws of gradient flows of neural networks,
    exactly.
    """


for _name, (_, _help) in COMMANDS.items():
    main.add_command(click.Command(_name, short_help=_help))
