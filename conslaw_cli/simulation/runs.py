"""Training runs: what they do to every known law, and what they had to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.errors import SpecError
from conslaw_cli.flows.motion import Motion
from conslaw_cli.laws.abelian import AbelianLaws
from conslaw_cli.simulation.data import Objective
from conslaw_cli.simulation.forms import Forms
from conslaw_cli.simulation.integrator import DivergedError, Field, Vector, integrate
from conslaw_cli.simulation.optimizers import SGD, Adam, Carried, Optimizer, Step
from conslaw_cli.simulation.predictions import Charge, Drift, Residual

RECORDS = 100
"""Points of a trajectory that are kept, at most, beside the start; a flow has its times there."""

LARGEST = 1e100
"""Numbers from which a run has diverged: their squares are still finite."""

Progress = Callable[[str, float], object]
"""Is called with what is going on, and how much of it is done, from 0 to 1."""


class What(Enum):
    """What is watched: laws h; those that are Abelian integrals; Adam's ``r = θᵀSm``; heavy ball's
    ``J = ⟨buffer, Aθ⟩``.
    """

    LAW = "law"
    INTEGRAL = "integral"
    RESIDUAL = "r"
    CHARGE = "J"


class Watch(NamedTuple):
    """A family of laws in a run, and how far it moved.

    text: its formula. shape: which entries there are. values, predicted: (records, laws), what was
    seen and what had to be, None where nothing says so. moved, expected: the largest change of what
    was seen and of what was predicted; error: the largest difference of the two. All three are over
    all steps, not records alone, and relative to ``|θ|ᵀ|S||θ|``, for r and J to that with m or the
    buffer in place of one θ; of Abelian integrals they are over records, and relative to the
    largest period, nan where branch points coincide. speed: of a law under Adam, the largest
    ``|dh/dt| = 2|θᵀSu|``.
    """

    what: What
    text: str
    shape: str
    values: Vector
    predicted: Vector | None
    moved: float
    expected: float | None
    error: float | None
    speed: float | None


Seen = tuple[Vector, Vector | None]
"""Values of laws, and what they had to be."""


class Watched:
    """Laws that are looked at after every step.

    last: the values seen last, and what they had to be.
    """

    last: Seen

    def __init__(self, what: What, forms: Forms) -> None:
        self.what, self.forms = what, forms
        self._values, self._predicted = list[Vector](), list[Vector]()
        self._start: tuple[Vector, Vector | None] | None = None
        self._size, self._moved, self._expected, self._error, self._speed = (
            np.zeros(len(forms)) for _ in range(5)
        )

    def see(self, values: Vector, predicted: Vector | None, size: Vector) -> None:
        """Take up values, what they had to be, and what they are measured by."""
        self.last = values, predicted
        if self._start is None:
            self._start = self.last
        start, foretold = self._start
        self._size = np.maximum(self._size, size)
        self._moved = np.maximum(self._moved, np.abs(values - start))
        if predicted is not None and foretold is not None:
            self._expected = np.maximum(self._expected, np.abs(predicted - foretold))
            self._error = np.maximum(self._error, np.abs(values - predicted))

    def keep(self, seen: Seen) -> None:
        """Take up a record of what was seen."""
        values, predicted = seen
        self._values.append(values)
        self._predicted += [] if predicted is None else [predicted]

    def hurry(self, speed: Vector) -> None:
        """Take up how fast the laws change."""
        self._speed = np.maximum(self._speed, speed)

    def watches(self) -> Iterator[Watch]:
        """Yield the families."""
        values, known = np.array(self._values), np.array(self._predicted)
        foretold, hurried = len(known) > 0, bool(self._speed.any())
        for family, laws in self.forms.families():
            numbers = (self._moved, self._expected, self._error, self._speed)
            moved, expected, error, speed = (self._worst(each, laws) for each in numbers)
            yield Watch(
                self.what,
                family.text,
                family.shape,
                values[:, laws],
                known[:, laws] if foretold else None,
                moved,
                expected if foretold else None,
                error if foretold else None,
                speed if hurried else None,
            )

    def _worst(self, number: Vector, laws: slice) -> float:
        size = self._size[laws]
        return float(np.max(number[laws] / np.where(size > 0, size, 1.0), initial=0.0))


class Run:
    """One training run, as far as it has come.

    method: the optimizer; None for the flow itself. times: of the records, steps times rate, or the
    flow's own time from its start. thetas, losses: at these. steps: how many were taken. ended: why
    it stopped before its end, in a sentence; None where it did not. slides: from when on a flow
    slides along borders where gates switch, if it does. integrals: laws that are looked at in the
    end, along the records.
    """

    def __init__(self, name: str, method: Optimizer | None, watched: Sequence[Watched]) -> None:
        self.name, self.method, self.watched = name, method, watched
        self.times, self.thetas, self.losses = list[float](), list[Vector](), list[float]()
        self.steps = 0
        self.ended: str | None = None
        self.slides: float | None = None
        self.integrals: Sequence[AbelianLaws] = ()

    @property
    def watches(self) -> list[Watch]:
        """The families of laws that were watched."""
        found = [watch for each in self.watched for watch in each.watches()]
        kept = self.method is None
        return [*found, *(_integral(each, self.thetas, kept) for each in self.integrals)]

    def keep(self, time: float, theta: Vector, loss: float) -> None:
        """Take up a record."""
        self.times.append(time)
        self.thetas.append(theta)
        self.losses.append(loss)


def _integral(laws: AbelianLaws, thetas: Sequence[Vector], kept: bool) -> Watch:
    """Return what became of Abelian integrals along a trajectory; kept: they had to be constant."""
    text, shape = f"Abelian integrals of {', '.join(laws.names)}", f"genus {laws.genus}"
    try:
        values = laws.along(thetas)
    except SpecError:
        none, text = np.empty((0, laws.size)), f"{text}: branch points coincide"
        return Watch(What.INTEGRAL, text, shape, none, None, np.nan, None, None, None)
    size = np.abs(laws.at(thetas[0]).periods).max(axis=0)
    moved = float((np.abs(values - values[0]) / size).max())
    had = np.repeat(values[:1], len(values), axis=0) if kept else None
    expected, error = (0.0, moved) if kept else (None, None)
    return Watch(What.INTEGRAL, text, shape, values, had, moved, expected, error, None)


def integrated(
    run: Run,
    motion: Motion,
    objective: Objective,
    state: Vector,
    times: Sequence[float],
    tolerance: float,
    hold: float,
    progress: Progress,
) -> None:
    """Integrate a flow to times after its beginning; hold: see :func:`integrate`."""
    (laws,) = run.watched
    span = times[-1]

    def moving(objective: Objective) -> Field:
        return lambda t, state: motion.velocity(t, state, objective.gradient)

    def frozen(state: Vector) -> Field | None:
        held = objective.frozen(motion.theta(state))
        if held is not None and run.slides is None:
            run.slides = run.times[-1]
        return None if held is None else moving(held)

    ends = [motion.begin + t for t in times]
    solution = integrate(moving(objective), state, ends, tolerance, frozen, hold)
    start, _ = laws.forms.values(motion.coordinates(motion.begin, state))
    try:
        for number, time in enumerate(times):
            state = next(solution) if number else state
            theta, x = motion.theta(state), motion.coordinates(motion.begin + time, state)
            values, size = laws.forms.values(x)
            laws.see(values, start, size)
            laws.keep(laws.last)
            run.keep(time, theta, objective.loss_at(theta))
            progress(f"{run.name}, t = {time:.3g} of {span:.3g}", number / len(times))
    except DivergedError as error:
        run.ended = str(error)


class Trainer:
    """Takes the steps of a run."""

    def __init__(self, run: Run, objective: Objective, observer: Observer) -> None:
        self.run, self._objective, self._observer = run, objective, observer

    def train(
        self, theta: Vector, carried: Carried, batches: Batches, steps: int, progress: Progress
    ) -> None:
        """Take some steps from θ, unless numbers become too large. What was seen last is kept, also
        where they do, or after an interrupt.
        """
        run, method, objective = self.run, self.run.method, self._objective
        assert method is not None
        every, kept = -(-steps // RECORDS), 0
        whole = 0, theta, self._seen()
        self._keep(*whole)
        try:
            for number in range(1, steps + 1):
                _, gradient = objective.at(theta, batches.next() if method.batches else None)
                step, carried = method.step(theta, gradient, carried)
                after = step.shrink * theta - method.rate * step.direction
                if not (np.abs(after) < LARGEST).all():  # nan is not either
                    run.ended = f"θ is beyond {LARGEST:g}, or no number, after step {number}"
                    return
                self._observer.stepped(theta, step, after)
                theta, whole = after, (number, after, self._seen())
                if number % every == 0 or number == steps:
                    kept = number
                    self._keep(*whole)
                    progress(f"{run.name}, step {number} of {steps}", number / steps)
        finally:
            if whole[0] > kept:
                self._keep(*whole)

    def _seen(self) -> list[Seen]:
        return [each.last for each in self._observer.watched]

    def _keep(self, steps: int, theta: Vector, seen: list[Seen]) -> None:
        """Take up a record."""
        run = self.run
        assert run.method is not None
        for each, last in zip(self._observer.watched, seen, strict=True):
            each.keep(last)
        run.steps = steps
        run.keep(steps * run.method.rate, theta, self._objective.loss_at(theta))


class Observer(Protocol):
    """What looks at laws after every step, and says beforehand what they are to be."""

    @property
    def watched(self) -> Sequence[Watched]:
        """What it looks at."""
        ...

    def stepped(self, theta: Vector, step: Step, after: Vector) -> None:
        """Look at a step from θ."""
        ...


class OfSGD:
    """Laws, and charges of heavy ball, both predicted. buffer: that of the start, if there is
    one.
    """

    def __init__(
        self, method: SGD, forms: Forms, charges: Forms, theta: Vector, buffer: Vector | None
    ) -> None:
        self._laws, self._charges = Watched(What.LAW, forms), Watched(What.CHARGE, charges)
        self._drift = Drift(forms, method, theta, buffer)
        values, size = forms.values(theta)
        self._laws.see(values, values, size)
        x = np.append(theta, np.zeros_like(theta) if buffer is None else buffer)
        values, size = charges.values(x)
        self._charge = Charge(method, values)
        self._charges.see(values, values, size)
        self._heavy = bool(method.momentum and not method.nesterov and len(charges))

    @property
    def watched(self) -> Sequence[Watched]:
        """Laws, and charges where they are some."""
        return [self._laws, self._charges] if self._heavy else [self._laws]

    def stepped(self, theta: Vector, step: Step, after: Vector) -> None:
        """Go on with the predictions, and look."""
        if self._heavy:
            self._charge.advance(step)
            seen, size = self._charges.forms.values(np.append(theta, step.buffer))
            self._charges.see(seen, self._charge.values, size)
        self._drift.advance(step)
        seen, size = self._laws.forms.values(after)
        self._laws.see(seen, self._drift.values, size)


class OfAdam:
    """Laws, of which none is kept, and r, which is predicted."""

    def __init__(self, method: Adam, forms: Forms, theta: Vector) -> None:
        self._laws, self._r = Watched(What.LAW, forms), Watched(What.RESIDUAL, forms)
        self._residual = Residual(forms, method)
        values, size = forms.values(theta)
        self._laws.see(values, None, size)
        self._r.see(np.zeros_like(size), np.zeros_like(size), size)

    @property
    def watched(self) -> Sequence[Watched]:
        """Both."""
        return [self._laws, self._r]

    def stepped(self, theta: Vector, step: Step, after: Vector) -> None:
        """Go on with the prediction, and look."""
        forms = self._laws.forms
        self._residual.advance(theta, step)
        seen, size = forms.values(after)
        self._r.see(forms.along(theta, step.buffer), self._residual.values, size)
        self._laws.hurry(2 * np.abs(forms.along(theta, step.direction)))
        self._laws.see(seen, None, size)


class Batches:
    """Numbers of samples, all in a random order, epoch after epoch; None for all at once."""

    def __init__(self, samples: int, size: int | None, seed: int) -> None:
        self._samples, self._size = samples, size
        self._rng, self._left = np.random.default_rng([seed, 1]), np.arange(0)

    def next(self) -> NDArray[np.intp] | None:
        """Return those of the next batch; what is left of an epoch and too few is left out."""
        if self._size is None or self._size >= self._samples:
            return None
        if len(self._left) < self._size:
            self._left = self._rng.permutation(self._samples)
        rows, self._left = self._left[: self._size], self._left[self._size :]
        return rows
