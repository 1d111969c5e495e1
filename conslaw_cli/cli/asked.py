"""The ways to say which architectures a command is for: a file, flags, or nothing for the paper's
examples.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conslaw_cli.cli.options import Text

if TYPE_CHECKING:
    from conslaw_cli.specs.spec import Sweep

F = TypeVar("F", bound=Callable[..., Any])


def asking(command: F) -> F:
    """Add the argument and the options that :func:`asked` reads."""
    options = (
        click.argument("spec", nargs=-1, metavar="[SPEC]", callback=_one_spec),
        click.option("--widths", help="Neurons per layer from input to output: 3,4,2 or 3-4-2."),
        click.option(
            "--activation",
            help="linear, relu, …; linear,relu: one per hidden layer. [default: relu]",
        ),
        click.option("--bias", help="false, hidden (or true) or all. [default: false]"),
        click.option("--loss", help="mse, logistic or cross_entropy. [default: mse]"),
        click.option(
            "--flow",
            type=Text(),
            help='gradient, momentum, decay, nmf, icnn or, as in YAML, "{momentum: {friction: 0}}".'
            " [default: gradient]",
        ),
        click.option(
            "--phi",
            type=Text(),
            help='Your own φ instead of a network: its components, such as "u*v1, u*v2".',
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def asked(
    another: str,
    *,
    spec: str | None,
    widths: str | None,
    activation: str | None,
    bias: str | None,
    loss: str | None,
    flow: str | None,
    phi: str | None,
) -> Sweep:
    """Return the architectures of a file, or of flags; without either the paper's examples.

    another: a command line for another one, shown with the examples. Raise SpecError or
    click.UsageError on anything wrong.
    """
    from conslaw_cli.specs.spec import Sweep, flowing, from_flags, load

    if widths is None and (activation, bias, loss) != (None, None, None):
        raise click.UsageError("--activation, --bias and --loss need --widths beside them")
    if flow is not None and widths is None and phi is None:
        raise click.UsageError("--flow needs --widths or --phi beside it; a file has flow: for it")
    given = {"a file": spec, "--widths": widths, "--phi": phi}
    if len(ways := [way for way, value in given.items() if value is not None]) > 1:
        raise click.UsageError(
            f"give either {' or '.join(ways)}, not both: {given[ways[0]]!r} and {given[ways[1]]!r}"
        )
    if spec is not None:
        return load(spec)
    if widths is not None:
        flags = {
            "activation": "relu" if activation is None else activation,
            "bias": "false" if bias is None else bias,
            "loss": "mse" if loss is None else loss,
        }
        return Sweep("flags", (flowing(from_flags(widths, **flags), flow),))
    if phi is not None:
        from conslaw_cli.families.formulas.custom import CustomMap

        return Sweep("flags", (flowing(CustomMap.from_text(phi), flow),))
    click.echo(f"The paper's two running examples. Another one: {another}\n", err=True)
    return _examples()


def _one_spec(ctx: click.Context, _: click.Parameter, words: tuple[str, ...]) -> str | None:
    """Return the file that is given, if any. Raise click.UsageError for more than one, and for a
    network in words, which flags describe.
    """
    if not words or ctx.resilient_parsing:
        return None
    if len(words) == 1 and (words[0] == "-" or os.path.exists(words[0])):
        return words[0]
    flags = _flags(" ".join(words))
    if len(words) == 1 and not flags:
        return words[0]
    meant = f"; for that network: conslaw {ctx.info_name} {flags}" if flags else ""
    raise click.UsageError(f"expected one SPEC, a YAML file, got {' '.join(words)!r}{meant}")


def _flags(text: str) -> str:
    """Return the flags of a network that is written as tables name it, ``relu 3-4-2``; "" if it is
    none.
    """
    from conslaw_cli.families.mlp import LOSSES
    from conslaw_cli.networks.operations.elementwise import ACTIVATIONS
    from conslaw_cli.specs.spec import width_list

    biases = {"bias": "hidden", "bias=all": "all"}
    found: dict[str, list[str]] = {"widths": [], "activation": [], "bias": [], "loss": []}
    for word in re.findall(r"[^\s,()\[\]]+", text.lower()):
        names = word.split("/")
        if widths := width_list(word):
            found["widths"] += map(str, widths)
        elif all(name in ACTIVATIONS for name in names):
            found["activation"] += names
        elif word in biases:
            found["bias"] = [biases[word]]
        elif word in LOSSES:
            found["loss"] = [word]
        else:
            return ""
    if len(found["widths"]) < 2:
        return ""
    return " ".join(f"--{flag} {','.join(values)}" for flag, values in found.items() if values)


def _examples() -> Sweep:
    """Return the paper's Examples 3.5 and 3.6 with n = 2, m = 3, r = 4."""
    from conslaw_cli.families.mlp import MLP
    from conslaw_cli.problems import Problem
    from conslaw_cli.specs.spec import Sweep

    relu = MLP((3, 4, 2), "relu", name="Example 3.5 (two-layer ReLU)")
    linear = MLP((3, 4, 2), "linear", name="Example 3.6 (two-layer linear)")
    return Sweep("examples", (Problem(relu), Problem(linear)))
