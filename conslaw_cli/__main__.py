"""The program ``conslaw``, also ``python -m conslaw_cli``, from its first moment to its last:
whatever happens in between is one line on stderr and a documented exit code.
"""

from __future__ import annotations

import gc
import os
import sys

from conslaw_cli.errors import reason
from conslaw_cli.sweeps import signals

_FAILED = 3


def main() -> None:
    """Run the command line and exit."""
    sys.exit(_run())


def _run() -> int | str | None:
    signals.leave()
    gc.disable()  # until the command has imported what it needs
    try:
        # Only now, as imports take time, and may fail where there is little memory.
        from conslaw_cli.cli import main as program
        from conslaw_cli.cli import streams

        streams.prepare()
        _forget_absurd_sizes()
        signals.listen()
        program(prog_name="conslaw")
    except SystemExit as end:
        return end.code
    except KeyboardInterrupt:
        return signals.INTERRUPTED
    except Exception as error:
        return _failed(error)
    finally:
        signals.ignore()
        gc.freeze()  # what there is goes with the process
    return 0


def _forget_absurd_sizes() -> None:
    """Remove sizes of a terminal that are none: not all who read them check them."""
    for name in ("COLUMNS", "LINES"):
        size = os.environ.get(name, "")
        if not (size.isdecimal() and len(size) <= 5 and int(size)):
            os.environ.pop(name, None)


def _failed(error: Exception) -> int:
    """Say what went wrong, if it was no interrupt, and return the exit code."""
    if signals.heard():
        return signals.INTERRUPTED
    if sys.stderr is not None:
        print(f"Error: {reason(error)}", file=sys.stderr)
    return _FAILED


if __name__ == "__main__":
    main()
