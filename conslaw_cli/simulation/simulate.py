"""Training in numbers: the laws of a problem along its flow, and along steps of optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conslaw_cli import checks
from conslaw_cli.errors import MemoryBudgetError, SpecError
from conslaw_cli.flows import System
from conslaw_cli.flows.charges import turning
from conslaw_cli.flows.motion import Motion
from conslaw_cli.laws.abelian import abelian_laws
from conslaw_cli.networks.known_laws import join
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.simulation.data import BUFFER, Given, named, objective, taken
from conslaw_cli.simulation.forms import Forms
from conslaw_cli.simulation.integrator import TOLERANCE, Vector
from conslaw_cli.simulation.optimizers import MAX_RATE, SGD, Adam, Carried, Optimizer
from conslaw_cli.simulation.runs import (
    RECORDS,
    Batches,
    OfAdam,
    OfSGD,
    Progress,
    Run,
    Trainer,
    Watched,
    What,
    integrated,
)

OPTIMIZERS = ("flow", "gd", "sgd", "momentum", "adam", "adamw")
ADAMW_DECAY = 1e-2
"""PyTorch's default."""
MAX_NUMBERS = 1 << 27
"""Numbers that a simulation may hold: 1 GiB of them."""
MAX_STEPS = 10**8
MAX_GENUS = 20
"""Of Abelian integrals that are watched: beyond, evaluating them takes longer than training."""
MAX_SAMPLES = 10**6


@dataclass(frozen=True, slots=True)
class Training:
    """How a problem is trained. Defaults are PyTorch's where it has them, but for the momentum of
    ``momentum``, which there is 0.

    samples, batch: of drawn data, and how many of them one step of sgd, momentum, adam and adamw
    sees; of a φ all of it. weight_decay: None for 0, of adamw 0.01; under the flow ``decay`` its λ.
    decoupled: θ shrinks by 1 − ηλ instead of λθ being added to the gradient. The flow is integrated
    for the time ``steps · lr``.

    >>> from conslaw_cli import MLP, simulate
    >>> for steps, lr in (100, 0.1), (1000, 0.01):
    ...     (run,) = simulate(MLP((3, 4, 2)), ("gd",), Training(lr, steps)).runs
    ...     print(f"lr {lr}: the laws moved by {run.watches[0].moved:.1e}")
    lr 0.1: the laws moved by 8.6e-03
    lr 0.01: the laws moved by 8.2e-04
    """

    lr: float = 1e-3
    steps: int = 1000
    batch: int = 8
    samples: int = 32
    seed: int = 0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float | None = None
    decoupled: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        checks.integer("steps", self.steps, 1, MAX_STEPS)
        checks.integer("samples", self.samples, 1, MAX_SAMPLES)
        checks.integer("batch", self.batch, 1, MAX_SAMPLES)
        checks.integer("seed", self.seed, 0, checks.MAX_SEED)
        if not 1e-13 <= self.tolerance <= 0.1:
            raise SpecError(f"tolerance: expected 1e-13 to 0.1, got {self.tolerance}")
        if not 0 < self.lr <= MAX_RATE:
            raise SpecError(f"lr: expected a positive number up to {MAX_RATE:g}, got {self.lr}")
        if self.weight_decay is not None and not 0 <= self.weight_decay <= MAX_RATE:
            expected = f"a number from 0 to {MAX_RATE:g}"
            raise SpecError(f"weight_decay: expected {expected}, got {self.weight_decay}")

    @property
    def hold(self) -> float:
        """For how long gates are held where the flow slides along their borders."""
        span = self.steps * self.lr
        return min(span / 2000, max(10 * self.lr, span / 50_000))

    def optimizer(self, name: str) -> Optimizer:
        """Return the optimizer of a name. Raise SpecError if a number does not fit it."""
        decay = self.weight_decay
        if name in ("adam", "adamw"):
            decoupled = self.decoupled or name == "adamw"
            own = ADAMW_DECAY if name == "adamw" and decay is None else decay or 0.0
            return Adam(self.lr, self.betas, own, decoupled)
        heavy = name == "momentum"
        momentum, nesterov = (self.momentum, self.nesterov) if heavy else (0.0, False)
        return SGD(self.lr, momentum, nesterov, decay or 0.0, self.decoupled, name != "gd")


class Simulation:
    """Runs of one problem, as far as they have come; all begin at one θ and see the same batches.

    motion: the flow in floats. theta: where they begin. runs: in the order of the optimizers; fewer
    if it was interrupted.
    """

    def __init__(
        self,
        asked: Problem | Architecture,
        optimizers: Sequence[str],
        training: Training,
        *,
        at: Given | None = None,
        data: Given | None = None,
        buffer: Given | None = None,
    ) -> None:
        self.problem, self.training = Problem.of(asked), training
        self.optimizers = _checked(self.problem, optimizers)
        _check_size(self.problem, training)
        if "flow" in self.optimizers:
            checks.extra("scipy.integrate", "plot")
        rng = np.random.default_rng(training.seed)
        self.objective, self.theta = objective(self.problem, rng, training.samples, data, at)
        self.motion = self.problem.flow.motion(self.problem.architecture, training.weight_decay)
        self.theta = _positive(self.motion, self.theta, at is not None)
        self._state = self.motion.start(self.theta, rng)
        arrays = self.objective.model.arrays
        self._buffer = None
        if buffer is not None:
            if "momentum" not in self.optimizers:
                raise SpecError("buffer: expected momentum among the optimizers")
            self._buffer = np.concatenate(
                [taken("buffer", buffer, each).ravel() for each in arrays]
            )
        self._methods = [
            None if name == "flow" else training.optimizer(name) for name in self.optimizers
        ]
        integrals = abelian_laws(self.problem)
        self._integrals = [each for each in integrals if each.genus <= MAX_GENUS]
        self.runs = list[Run]()

    def train(self, progress: Progress = lambda what, done: None) -> None:
        """Make all runs. An interrupt leaves those before it, and what there is of its own."""
        laws, total = Forms(self.problem.laws()), len(self.optimizers)
        for number, (name, method) in enumerate(zip(self.optimizers, self._methods, strict=True)):

            def told(what: str, done: float, before: int = number) -> None:
                progress(what, (before + done) / total)

            with np.errstate(all="ignore"):
                if method is None:
                    self._flow(laws, told)
                else:
                    self._steps(name, method, laws, told)

    def _flow(self, laws: Forms, progress: Progress) -> None:
        run = Run("flow", None, [Watched(What.LAW, laws)])
        run.integrals = self._integrals
        self.runs.append(run)
        span = self.training.steps * self.training.lr
        times = np.linspace(0, span, min(self.training.steps, RECORDS) + 1).tolist()
        tolerance, hold = self.training.tolerance, self.training.hold
        integrated(run, self.motion, self.objective, self._state, times, tolerance, hold, progress)

    def _steps(self, name: str, method: Optimizer, laws: Forms, progress: Progress) -> None:
        training, buffer = self.training, self._buffer
        observer: OfAdam | OfSGD
        if isinstance(method, Adam):
            observer, carried = OfAdam(method, laws, self.theta), Carried()
        else:
            assert isinstance(method, SGD)
            buffer = buffer if method.momentum else None
            observer = OfSGD(method, laws, self._charges(method), self.theta, buffer)
            carried = Carried(buffer)
        run = Run(name, method, observer.watched)
        run.integrals = self._integrals
        self.runs.append(run)
        batches = Batches(self.objective.samples, training.batch, training.seed)
        trainer = Trainer(run, self.objective, observer)
        trainer.train(self.theta, carried, batches, training.steps, progress)

    def _charges(self, method: SGD) -> Forms:
        if not method.momentum or method.nesterov:
            return Forms(join([]))
        # Decay leaves rotations as they are, not those of I + U, which have a part of degree one.
        every = turning(self.problem.architecture)
        kept = [each for each in every if not (method.decay and (each.right < 0).any())]
        return Forms(join(kept))

    def arrays(self) -> dict[str, Vector]:
        """Return what ``.npz`` files hold of it: θ at the start, constants and data by name, as
        ``at`` and ``data`` take them, behind ``buffer/`` what buffer there was, and of each run,
        behind its name and a slash, its times, thetas (records, D), losses, and what was seen and
        predicted of every family of laws.
        """
        found = self.objective.arrays() | named(self.objective.model.arrays, self.theta)
        if self._buffer is not None:
            parts = named(self.objective.model.arrays, self._buffer)
            found |= {f"{BUFFER}/{name}": part for name, part in parts.items()}
        for run in self.runs:
            for key in ("times", "thetas", "losses"):
                found[f"{run.name}/{key}"] = np.array(getattr(run, key))
            for number, watch in enumerate(run.watches, start=1):
                before = f"{run.name}/{watch.what.value}{number}"
                found[f"{before}/seen"] = watch.values
                if watch.predicted is not None:
                    found[f"{before}/predicted"] = watch.predicted
        return found


def simulate(
    problem: Problem | Architecture,
    optimizers: Sequence[str] = ("gd",),
    training: Training | None = None,
    *,
    at: Given | None = None,
    data: Given | None = None,
    buffer: Given | None = None,
    progress: Progress = lambda what, done: None,
) -> Simulation:
    """Train a problem, and watch what becomes of its known laws: how far they went, and how far
    they had to.

    optimizers: among flow (the flow itself, which keeps them; needs SciPy), gd, sgd, momentum, adam
    and adamw; all but the first for gradient flow only. at: parameters by name. data: the inputs by
    name and ``y``, what the outputs are to be; of a φ ``target`` alone. buffer: that of momentum
    before its first step, by the names of parameters. All are drawn from the seed where they are
    not given, but for the buffer, without which the first gradient is the first buffer, as PyTorch
    has it.

    Networks have gates of their own, those of their values. Steps are PyTorch's; how they move a
    law is known exactly (docs/steps.md). Adam keeps none; ``r = θᵀSm`` is predicted, m its mean of
    gradients.

    >>> from conslaw_cli import MLP, Training, simulate
    >>> (run,) = simulate(MLP((3, 4, 2), "relu"), ("gd",), Training(lr=0.1, steps=300)).runs
    >>> (watch,) = run.watches
    >>> print(watch.text, f"moved by {watch.moved:.1e}; predicted to 1e-12: {watch.error < 1e-12}")
    diag(U1ᵀU1 − U2U2ᵀ) moved by 9.2e-03; predicted to 1e-12: True

    Raise SpecError for fields of one's own, which are no gradients, and where something does not
    fit; MemoryBudgetError for networks that are too large.
    """
    chosen = Training() if training is None else training
    simulation = Simulation(problem, optimizers, chosen, at=at, data=data, buffer=buffer)
    simulation.train(progress)
    return simulation


def _checked(problem: Problem, optimizers: Sequence[str]) -> tuple[str, ...]:
    names = checks.entries("optimizer", optimizers, "names such as ('flow', 'gd')")
    for name in names:
        checks.choice("optimizer", name, OPTIMIZERS)
        if name != "flow" and problem.flow.dynamics.system is not System.GRADIENT:
            raise SpecError(
                f"optimizer: expected flow alone, as steps of {name} go with gradient flow only,"
                f" not with {problem.flow.title}"
            )
    if not names or len(set(names)) < len(names):
        raise SpecError(f"optimizer: expected different names, at least one, got {list(names)}")
    return names


def _check_size(problem: Problem, training: Training) -> None:
    size, terms = problem.parameters, problem.architecture.known_terms
    laws = problem.architecture.known_listed
    needed = (3 * training.samples + RECORDS + 20) * size + 20 * terms + 3 * RECORDS * laws
    if needed > MAX_NUMBERS:
        raise MemoryBudgetError(
            f"{problem.name}: its {size:,} parameters and {laws:,} known laws would take about"
            f" {needed * 8 / 2**30:.0f} GiB to be trained, at most {MAX_NUMBERS * 8 / 2**30:.0f}"
            " are taken"
        )


def _positive(motion: Motion, theta: Vector, given: bool) -> Vector:
    """Return θ with the signs that a metric asks for. Raise SpecError if it was given others."""
    chosen = theta.copy()
    chosen[motion.positive] = np.abs(theta[motion.positive])
    if given and not (theta[motion.positive] > 0).all():
        raise SpecError("at: expected positive numbers where the metric is a power of θ")
    return chosen
