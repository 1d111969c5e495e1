"""``python -m conslaw_cli`` is ``conslaw``."""

from conslaw_cli.entry import main

main()
