"""``conslaw simulate``: training in numbers, and what it does to the known laws."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from conslaw_cli.cli.asked import asked, asking
from conslaw_cli.cli.options import FAILED, formatted, say, write
from conslaw_cli.cli.progress import search_progress
from conslaw_cli.errors import SpecError
from conslaw_cli.sweeps import signals

if TYPE_CHECKING:
    from conslaw_cli.problems.problem import Problem
    from conslaw_cli.simulation.simulate import Simulation, Training

_ANOTHER = "conslaw simulate --widths 3,4,2 --activation relu --optimizer flow,gd"
_STEPS = ("gd", "sgd", "momentum", "adam", "adamw")
_NEEDS: dict[str, tuple[str, ...]] = {
    "momentum": ("momentum",),
    "nesterov": ("momentum",),
    "betas": ("adam", "adamw"),
    "batch": ("sgd", "momentum", "adam", "adamw"),
    "decoupled": _STEPS,
}
"""The optimizers of which one has to be there for a flag to mean anything."""


class _Betas(click.ParamType[tuple[float, float]]):
    """Two numbers, 0.9,0.999."""

    name = "B1,B2"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Return the numbers."""
        try:
            first, second = map(float, str(value).split(","))
        except ValueError:
            self.fail(f"expected two numbers such as 0.9,0.999, got {value!r}", param, ctx)
        return first, second


@click.command(short_help="Train in numbers, and watch the known laws hold and move.")
@asking
@click.option(
    "--optimizer",
    metavar="NAMES",
    help="Among flow,gd,sgd,momentum,adam,adamw; all but flow with gradient flow only."
    " [default: all that go]",
)
@click.option("--lr", type=float, help="Rate η of steps; a flow takes η × steps.  [default: 0.001]")
@click.option("--steps", type=int, help="How many of them.  [default: 1000]")
@click.option("--batch", type=int, help="Samples in a step; gd sees all.  [default: 8]")
@click.option("--samples", type=int, help="Samples that are drawn.  [default: 32]")
@click.option("--momentum", type=float, help="μ of momentum.  [default: 0.9]")
@click.option("--nesterov", is_flag=True, default=None, help="Of Nesterov's kind.")
@click.option(
    "--weight-decay",
    type=float,
    help="λ; of --flow decay, too.  [default: 0; of adamw 0.01; of decay 0.1]",
)
@click.option(
    "--decoupled", is_flag=True, default=None, help="θ shrinks by 1 − ηλ, as adamw does it."
)
@click.option("--betas", type=_Betas(), help="Of adam and adamw.  [default: 0.9,0.999]")
@click.option(
    "--at",
    metavar="FILE",
    help="θ to begin with, an .npz with arrays by name; momentum's first buffer as buffer/NAME.",
)
@click.option(
    "--data", metavar="FILE", help="Data: an .npz with the inputs (x) and y; of a φ its target."
)
@click.option("--seed", type=int, help="Of θ, data and batches.  [default: the spec's, or 0]")
@click.option("-o", "--output", metavar="FILE", help="Keep the trajectories, in an .npz.")
@click.option("--plot", metavar="FILE", help="Draw the drift of laws: a .png, .svg or .pdf.")
@lambda command: formatted(command, ("text", "json"))
@click.pass_context
def simulate(
    ctx: click.Context,
    /,
    optimizer: str | None,
    at: str | None,
    data: str | None,
    seed: int | None,
    output: str | None,
    plot: str | None,
    format_: str,
    lr: float | None,
    steps: int | None,
    batch: int | None,
    samples: int | None,
    momentum: float | None,
    nesterov: bool | None,
    weight_decay: float | None,
    decoupled: bool | None,
    betas: tuple[float, float] | None,
    **ways: str | None,
) -> None:
    """Train the architecture in the YAML file SPEC ("-": stdin), or the one that --widths and the
    other flags describe, and say for every family of known laws how far it moved and how far it had
    to.

    The flow itself keeps all of them; how steps of gd, sgd and momentum move them is known exactly.
    Steps are those of PyTorch, in double precision. θ and data are drawn from a seed, or given.

    \b
    conslaw simulate --widths 3,4,2 --activation relu --optimizer gd,momentum --lr 0.05
    conslaw simulate --phi "u*v" --optimizer flow,gd,adam --plot drift.png -o run.npz
    """
    given: dict[str, Any] = {
        "lr": lr,
        "steps": steps,
        "batch": batch,
        "samples": samples,
        "momentum": momentum,
        "nesterov": nesterov,
        "weight_decay": weight_decay,
        "decoupled": decoupled,
        "betas": betas,
    }
    given = {key: value for key, value in given.items() if value is not None}
    sweep = asked(_ANOTHER, **ways)
    given["seed"] = sweep.seed if seed is None else seed
    files = _Files(at, data, output, plot)
    files.check(ways["spec"], sweep.problems, given)
    # Some C extensions turn an interrupt while they are loaded into errors of their own.
    with signals.held_back():
        from conslaw_cli.simulation.simulate import Training

        training = Training(**given)
        made = [_made(problem, optimizer, training, given, files) for problem in sweep.problems]
    whole = _train(made)
    done = [each for each in made if each.runs]
    _show(done, format_, whole)
    files.save(done)
    if not whole:
        say("Interrupted: what was integrated is shown." if done else "Interrupted.")
        ctx.exit(signals.INTERRUPTED)
    ended = [(each, run) for each in done for run in each.runs if run.ended is not None]
    for each, run in ended:
        say(f"{each.problem.name}: {run.name}: {run.ended}")
    ctx.exit(FAILED if ended else 0)


def _made(
    problem: Problem,
    optimizer: str | None,
    training: Training,
    given: Mapping[str, Any],
    files: _Files,
) -> Simulation:
    """Return a simulation that is ready to begin. Raise SpecError for a flag that does nothing."""
    from conslaw_cli.flows import System
    from conslaw_cli.simulation.simulate import OPTIMIZERS, Simulation

    names: tuple[str, ...] = ("flow",)
    if problem.flow.dynamics.system is System.GRADIENT:
        names = OPTIMIZERS
    if optimizer is not None:
        names = tuple(name.strip() for name in optimizer.split(","))
    for key, needed in _NEEDS.items():
        if key in given and not set(names) & set(needed):
            raise SpecError(f"--{key}: expected {' or '.join(needed)} with it in --optimizer")
    if "decoupled" in given and "weight_decay" not in given:
        raise SpecError("--decoupled: expected --weight-decay with it")
    simulation = Simulation(
        problem, names, training, at=files.theta, data=files.samples, buffer=files.buffer
    )
    if "weight_decay" in given and names == ("flow",) and simulation.motion.decay is None:
        raise SpecError(f"--weight-decay: the flow {problem.flow.describe()} has none")
    if not simulation.objective.model.inputs:
        for key in ("samples", "batch"):
            if key in given:
                raise SpecError(f"--{key}: a φ has no samples; it trains on ½‖φ − target‖²")
    return simulation


class _Files:
    """The files that are read and written."""

    def __init__(
        self, at: str | None, data: str | None, output: str | None, plot: str | None
    ) -> None:
        self._at, self._data, self._output, self._plot = at, data, output, plot
        self.theta: Any = None
        self.buffer: Any = None
        self.samples: Any = None

    def check(
        self, spec: str | None, problems: Sequence[Problem], given: Mapping[str, Any]
    ) -> None:
        """Read what is given. Raise SpecError where that, or what is to be written, cannot be."""
        from conslaw_cli.cli import outfile
        from conslaw_cli.formats import pictures
        from conslaw_cli.simulation.data import BUFFER, read, within

        flags = {"--at": self._at, "--data": self._data, "-o": self._output, "--plot": self._plot}
        for flag, path in flags.items():
            if path is not None and len(problems) != 1:
                raise SpecError(f"{flag}: expected one architecture with it, got {len(problems)}")
        if self._data is not None and "samples" in given:
            raise SpecError("--samples, --data: expected one of the two")
        if self._output is not None:
            if os.path.splitext(self._output)[1] != ".npz":
                raise SpecError(f"-o: expected a file ending in .npz, got {self._output!r}")
            outfile.check(self._output, spec, outfile.ARRAYS)
        if self._plot is not None:
            pictures.suffix(self._plot)
            outfile.check(self._plot, spec, outfile.PICTURE)
        self.theta = None if self._at is None else read(self._at)
        self.buffer = within(BUFFER, self.theta or {}) or None
        self.samples = None if self._data is None else read(self._data)

    def save(self, simulations: Sequence[Simulation]) -> None:
        """Write what there is of one simulation."""
        from conslaw_cli.cli import outfile

        for simulation in simulations:
            if self._output is not None:
                outfile.save(self._output, _archive(simulation), outfile.ARRAYS)
            if self._plot is not None:
                from conslaw_cli.formats.pictures.drift import drift

                outfile.save(self._plot, drift(simulation, self._plot), outfile.PICTURE)


def _archive(simulation: Simulation) -> bytes:
    """Return the arrays as ``np.savez`` writes them, which does not take every name."""
    import io
    from zipfile import ZipFile, ZipInfo

    import numpy as np

    data = io.BytesIO()
    with ZipFile(data, "w") as archive:
        for name, array in simulation.arrays().items():
            with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return data.getvalue()


def _train(simulations: Sequence[Simulation]) -> bool:
    """Make all runs, and return whether that was not interrupted."""
    try:
        for simulation in simulations:
            with search_progress(simulation.problem.name, timed=True) as progress:
                simulation.train(progress)
    except KeyboardInterrupt:
        return False
    return True


def _show(simulations: Sequence[Simulation], format_: str, whole: bool) -> None:
    from conslaw_cli.formats.simulation import as_json, text

    if format_ == "json":
        document = as_json(simulations, not whole)
    else:
        document = "\n".join(map(text, simulations))
    if simulations or format_ == "json":
        write(lambda width, color: document, None)
