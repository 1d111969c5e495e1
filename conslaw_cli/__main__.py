"""``python -m conslaw_cli`` is ``conslaw``."""

from conslaw_cli.cli import main

main(prog_name="conslaw")
