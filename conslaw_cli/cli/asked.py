"""The ways to say which architectures a command is for: a file, flags, or nothing for the paper's
examples.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conslaw_cli.cli.options import Text, importing

if TYPE_CHECKING:
    from conslaw_cli.families.mlp import MLP
    from conslaw_cli.specs.flags import Sweep

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
        click.option(
            "--array",
            type=Text(),
            multiple=True,
            callback=lambda _, __, each: ",".join(each) if each else None,
            metavar="NAME=SHAPE",
            help='An array in --phi or --fields: "W2*W1" with --array W1=3x2 and --array W2=2x3.',
        ),
        click.option(
            "--constant",
            type=Text(),
            multiple=True,
            callback=lambda _, __, each: ";".join(each) if each else None,
            metavar="NAME[=SHAPE]",
            help="A generic number in --phi or --fields, no part of the state; W=2x2: an array, "
            'W="[[1,2],[3,5]]": a given one.',
        ),
        click.option(
            "--outputs", help="Which components of --phi the loss reads: 1,2. [default: all]"
        ),
        click.option(
            "--fields",
            type=Text(),
            help='Vector fields of your own, such as "y, -x, 0; 0, z, -y".',
        ),
        click.option("--variables", type=Text(), help="Their variables, or those of --phi: x,y,z."),
        click.option("--name", type=Text(), help="What to call it."),
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
    array: str | None,
    constant: str | None,
    outputs: str | None,
    fields: str | None,
    variables: str | None,
    name: str | None,
) -> Sweep:
    """Return the architectures of a file, or of flags; without either the paper's examples.

    another: a command line for another one, shown with the examples. Raise SpecError or
    click.UsageError on anything wrong.
    """
    with importing():
        from conslaw_cli.specs.flags import Sweep, flowing, formula

    ways = {"a file": spec, "--widths": widths, "--phi": phi, "--fields": fields}
    given = [way for way, value in ways.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError(
            f"give either {' or '.join(given)}, not both: {ways[given[0]]!r} and {ways[given[1]]!r}"
        )
    _check_homes(
        given[0] if given else None,
        ("--activation", activation, "--widths"),
        ("--bias", bias, "--widths"),
        ("--loss", loss, "--widths or --phi"),
        ("--flow", flow, "--widths, --phi or --fields"),
        ("--name", name, "--widths, --phi or --fields"),
        ("--array", array, "--phi or --fields"),
        ("--constant", constant, "--phi or --fields"),
        ("--outputs", outputs, "--phi"),
        ("--variables", variables, "--phi or --fields"),
    )
    if spec is not None:
        from conslaw_cli.specs.spec import load

        return load(spec)
    if widths is None and phi is None and fields is None:
        click.echo(f"The paper's two running examples. Another one: {another}\n", err=True)
        return _examples()
    if widths is not None:
        words = {"activation": activation, "bias": bias, "loss": loss}
        architecture: Any = _network(widths, name, words)
    else:
        architecture = formula(
            phi, fields, variables, array, loss, name, constants=constant, outputs=outputs
        )
    return Sweep("flags", (flowing(architecture, flow, with_name=name is not None),))


def _network(widths: str, name: str | None, words: Mapping[str, str | None]) -> MLP:
    from dataclasses import replace

    from conslaw_cli.specs.flags import from_flags

    network = from_flags(widths, **{key: word for key, word in words.items() if word is not None})
    return network if name is None else replace(network, name=name)


def _check_homes(way: str | None, *flags: tuple[str, object, str]) -> None:
    """Raise click.UsageError for a flag whose way to say an architecture is not there."""
    for flag, value, homes in flags:
        if value is not None and way not in re.split(r", | or ", homes):
            raise click.UsageError(f"{flag} needs {homes} beside it; in a file it is a key")


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
    from conslaw_cli.specs.flags import width_list

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
    from conslaw_cli.problems.problem import Problem
    from conslaw_cli.specs.flags import Sweep

    relu = MLP((3, 4, 2), "relu", name="Example 3.5 (two-layer ReLU)")
    linear = MLP((3, 4, 2), "linear", name="Example 3.6 (two-layer linear)")
    return Sweep("examples", (Problem(relu), Problem(linear)))
