"""``conslaw theorems``, ``flows`` and ``operations``: what there is, each with its source."""

from __future__ import annotations

import re

import click

from conslaw_cli.cli import COMMANDS
from conslaw_cli.errors import SpecError


def _command(kind: str) -> click.Command:
    @click.command(kind, help=f"{COMMANDS[kind][1]} NAME shows all of one.")
    @click.argument("name", required=False, metavar="[NAME]")
    def command(name: str | None) -> None:
        from conslaw_cli import checks
        from conslaw_cli.formats.lists import LISTS, render_entry, render_list

        entries = {entry.name: entry for entry in LISTS[kind]()}
        if name is None:
            click.echo(render_list(list(entries.values())))
            return
        wanted = _plain(name)
        found = [
            entry
            for entry in entries.values()
            if wanted in map(_plain, (entry.name, *entry.others))
        ]
        if not found:
            near = checks.near(_plain(name), entries)
            raise SpecError(f"{kind}: expected one of {', '.join(entries)}, got {name!r}{near}")
        click.echo(render_entry(found[0]))

    return command


def _plain(name: str) -> str:
    """Return a name as it is compared: linear-pair is "linear pair"."""
    return " ".join(re.split(r"[-_\s]+", name.strip().lower()))


theorems = _command("theorems")
flows = _command("flows")
operations = _command("operations")
