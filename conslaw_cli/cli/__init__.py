"""The command ``conslaw``: one click command per file; each parses, calls the library, prints and
exits.

Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 requirement not met, 2 usage
or spec, 3 some job failed, 130 interrupted.
"""

from __future__ import annotations

import click

from conslaw_cli.cli.count import count
from conslaw_cli.cli.describe import describe
from conslaw_cli.cli.laws import laws
from conslaw_cli.cli.options import USAGE
from conslaw_cli.cli.sweep import sweep
from conslaw_cli.errors import ConslawError

_EPILOG = """
Exit codes: 0 done, 1 requirement not met, 2 usage or spec, 3 some job failed, 130 interrupted.

Completion in bash: eval "$(_CONSLAW_COMPLETE=bash_source conslaw)" in ~/.bashrc; zsh_source and
fish_source are for the other shells.
"""


class _Failure(click.ClickException):
    exit_code = USAGE


class _Program(click.Group):
    """A group whose commands may raise ConslawError or be interrupted."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConslawError as error:
            raise _Failure(str(error)) from error
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            ctx.exit(130)


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


main.add_command(count)
main.add_command(describe)
main.add_command(laws)
main.add_command(sweep)
