"""Times of the engine and of whole commands, as one table: ``python -m tests.bench`` from the root
of the repository.

``--quick`` measures every command once and leaves out the network of 10,000 parameters. Nothing is
asserted: times depend on the machine, which the table describes.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LARGE = """
import resource, sys
from conslaw_cli import MLP, count_laws
row = count_laws(MLP((50,) * 5, "linear"))
scale = 1 if sys.platform == "darwin" else 1024
print(row.verdict, row.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**30)
"""
Row = tuple[str, str, str]
"""What was measured, the figure, the goal."""


def machine() -> str:
    """Return the processor, the cores and the versions that the figures depend on."""
    import numpy as np

    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{model}, {cores} cores; {platform.system()}; Python {platform.python_version()}, numpy"
        f" {np.__version__}"
    )


def engine() -> Iterator[Row]:
    """Time counts alone, on one core, nothing but the engine loaded."""
    from conslaw_cli import count_laws
    from conslaw_cli.specs import spec

    count_laws(
        spec.load(str(ROOT / "configs/linear.yaml")).architectures[0]
    )  # what is imported on first use
    for name, goal in (("linear", "< 0.3 s"), ("relu", "< 1.5 s")):
        architectures = spec.load(str(ROOT / f"configs/{name}.yaml")).architectures
        notebook = [
            architecture
            for architecture in architectures
            if architecture.name.startswith("notebook")
        ]
        start = time.perf_counter()
        verdicts = [count_laws(architecture).verdict for architecture in notebook]
        seconds = time.perf_counter() - start
        what = (
            f"{len(notebook)} {name} networks of the notebook, {verdicts.count('proved')} proved,"
            " one core"
        )
        yield what, f"{seconds:.3f} s", goal
    every = spec.load(str(ROOT / "configs/atlas-linear.yaml")).architectures
    atlas = [a for a in every if len(widths := a.describe()["widths"]) <= 6 and max(widths) <= 4]
    rate = len(atlas) / timed(lambda: [count_laws(architecture) for architecture in atlas])
    what = f"{len(atlas)} networks of the atlas, up to 4 hidden layers, widths 1–4, one core"
    yield what, f"{rate:.0f} a second", "> 400 a second"


def transport() -> Iterator[Row]:
    """Time counts whose traces are long, on one core."""
    from conslaw_cli import MLP, count_laws

    for widths, goal in (
        ((1, 14, 14, 3), "< 1 s"),
        ((1, 30, 30, 2), "< 5 s"),
        ((1, 20, 20, 20, 2), "< 15 s"),
    ):
        row = count_laws(MLP(widths, "linear"))
        yield f"{row.name}, {row.verdict} by {row.lower[0].method}", f"{row.seconds:.2f} s", goal


def polynomials() -> Iterator[Row]:
    """Time searches for polynomial laws, on one core."""
    from conslaw_cli import MLP, find_laws

    for mlp, degree, goal in (
        (MLP((5, 7, 8, 9, 8), "linear"), 2, "< 1 s"),
        (MLP((20, 25, 25, 20, 18), "linear"), 2, "< 15 s"),
        (MLP((3, 3, 3), "linear"), 4, "< 1 s"),
        (MLP((8, 8, 8, 9, 9), "relu", "hidden"), 2, "< 1 s"),
    ):
        seconds = timed(partial(find_laws, mlp, degree))
        yield f"laws of {mlp.name}, D = {mlp.parameters}, degree {degree}", f"{seconds:.2f} s", goal


def layers() -> Iterator[Row]:
    """Time networks given layer by layer, on one core; against the same networks given by their
    widths.
    """
    from conslaw_cli import Attention, Layers, count_laws
    from conslaw_cli.networks.operations.convolution import Convolution
    from conslaw_cli.networks.operations.dense import Linear
    from conslaw_cli.networks.operations.elementwise import Activation
    from conslaw_cli.specs import spec

    draws = [
        a
        for a in spec.load(str(ROOT / "configs/relu.yaml")).architectures
        if not a.describe()["bias"]
    ]
    layered = []
    for widths in (a.describe()["widths"] for a in draws):
        parts = [part for width in widths[1:] for part in (Linear(width), Activation("relu"))]
        layered.append(Layers((widths[0],), tuple(parts[:-1])))

    def counted(given: Iterable[Any]) -> float:
        return timed(lambda: [count_laws(architecture) for architecture in given])

    ratio = statistics.median(counted(layered) / counted(draws) for _ in range(5))
    yield f"{len(draws)} ReLU networks in layers, against widths", f"{ratio:.2f} ×", "< 1.3 ×"
    convolutions = [Convolution(channels, (3, 3), (1, 1)) for channels in (8, 4)]
    network = Layers((3, 6, 6), (convolutions[0], Activation("relu"), convolutions[1]))
    yield f"{network.name}", f"{timed(partial(count_laws, network)):.2f} s", "< 5 s"
    yield (
        "attention (64, 4, 16)",
        f"{timed(partial(count_laws, Attention(64, 4, 16))):.2f} s",
        "< 60 s",
    )


def large() -> Row:
    """Count 50-50-50-50-50 in a process of its own, on all cores."""
    verdict, seconds, memory = run([sys.executable, "-c", LARGE]).split()
    return (
        f"linear 50-50-50-50-50, {verdict}",
        f"{float(seconds):.1f} s, {float(memory):.2f} GiB",
        "< 60 s, < 3 GB",
    )


def commands(repeat: int) -> Iterator[Row]:
    """Time whole processes: the median of several runs, and the least CPU time, which is what
    others on the machine disturb least.
    """
    with tempfile.TemporaryDirectory() as folder:
        sweep = ["--fresh", "-o", str(Path(folder) / "rows.jsonl")]
        for arguments, extra, goal in (
            ("--help", [], "< 0.2 s"),
            ("count", [], "< 0.6 s"),
            ("count --widths 3,4,2 --activation relu --bias hidden", [], "< 0.6 s"),
            ("laws --widths 3,4,2 --activation linear", [], "< 0.8 s"),
            ("sweep configs/linear.yaml", sweep, "< 1.5 s"),
            ("sweep configs/relu.yaml", sweep, "< 2.5 s"),
        ):
            command = [sys.executable, "-m", "conslaw_cli", *arguments.split(), *extra]
            run(command)  # from now on its bytecode is kept
            before, wall, cpu = processor(), list[float](), list[float]()
            for _ in range(repeat):
                wall.append(timed(partial(run, command)))
                cpu.append(processor() - before)
                before += cpu[-1]
            figure = f"{statistics.median(wall):.2f} s, {min(cpu):.2f} s of CPU"
            yield f"conslaw {arguments}", figure, goal


def processor() -> float:
    """Return the CPU seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resuming() -> Iterator[Row]:
    """Time a sweep of one network whose file holds a million rows, other networks' too; and measure
    the memory that it takes, against that of the same sweep with one row.
    """
    with tempfile.TemporaryDirectory() as folder:
        spec, rows = Path(folder) / "spec.yaml", Path(folder) / "rows.jsonl"
        spec.write_text("{widths: [3, 4, 2], activation: linear}\n")
        command = [sys.executable, "-m", "conslaw_cli", "sweep", str(spec), "-o", str(rows)]
        run(command)
        before = peak(command)
        copy_row(rows, 10**6)
        what = "resuming a file of a million rows"
        yield what, f"{timed(partial(run, command)):.1f} s", "< 20 s"
        yield f"{what}, memory", f"{(peak(command) - before) / 2**30:.2f} GiB", "< 0.3 GiB"


def reporting() -> Iterator[Row]:
    """Measure what reports of 10^4 rows hold beyond the summary, which has the jobs to hold too."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.yaml"
        depth, widths = "{from: 2, to: 6}", "{from: 1, to: 1000}"
        drawn = f"count: 10000, depth: {depth}, widths: {widths}, activation: relu, seed: 1"
        spec.write_text(f"random: {{name: drawn, {drawn}}}\n")
        command = [sys.executable, "-m", "conslaw_cli", "sweep", str(spec)]
        command += ["-o", str(Path(folder) / "rows.jsonl")]
        run([*command, "--summary"])
        before = peak([*command, "--summary"])
        for format_ in ("json", "csv", "markdown", "latex"):
            more = (peak([*command, "--format", format_]) - before) / 2**20
            yield (
                f"{format_} of 10,000 rows, memory beyond the summary's",
                f"{more:.0f} MiB",
                "< 10",
            )


def flows() -> Iterator[Row]:
    """Time training in numbers and recast flows, on one core; flows need SciPy."""
    from conslaw_cli import MLP, CustomMap, Training, simulate

    training = Training(lr=0.05, steps=300)
    names = ("gd", "sgd", "momentum", "adam")
    seconds = timed(lambda: simulate(MLP((3, 4, 2), "relu"), names, training))
    yield f"relu 3-4-2, 300 steps of {', '.join(names)}", f"{seconds:.2f} s", "-"
    if importlib.util.find_spec("scipy") is None:
        return
    smooth = MLP((3, 4, 2), "linear")
    yield (
        "linear 3-4-2, its flow",
        f"{timed(lambda: simulate(smooth, ('flow',), training)):.2f} s",
        "-",
    )
    for architecture in (
        CustomMap.from_text("u*v1, u*v2"),
        MLP((2, 2, 2, 1), "relu"),
        MLP((1, 2, 2, 1), "linear"),
        MLP((1, 3, 3, 1), "linear"),
    ):
        yield f"recast {architecture.name}", f"{timed(partial(_recast, architecture)):.2f} s", "-"


def _recast(architecture: Any) -> None:
    import numpy as np

    from conslaw_cli import Problem
    from conslaw_cli.simulation.recast import recast, reparametrisation

    problem = Problem(architecture)
    phi, rng = reparametrisation(problem), np.random.default_rng(4)
    theta = rng.normal(size=architecture.parameters)
    recast(problem, phi, theta, rng.normal(size=len(phi.names)), 0.5)


def peak(command: list[str]) -> int:
    """Return the most bytes that a command held."""
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True,"
    program += " stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN)"
    unit = 1 if sys.platform == "darwin" else 1024
    return int(run([sys.executable, "-c", f"{program}.ru_maxrss)", *command])) * unit


def clusters() -> Iterator[Row]:
    """Time a sweep on two workers, where dask is installed; starting them takes most of it."""
    if importlib.util.find_spec("distributed") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        for more in (["-j", "2"], ["--cluster", "local:2"]):
            words = ["sweep", "configs/atlas-linear.yaml", "--summary", *more]
            output = ["-o", str(Path(folder) / f"{more[1]}.jsonl")]
            command = [sys.executable, "-m", "conslaw_cli", *words, *output]
            what = f"conslaw {' '.join(words[:2])} {' '.join(more)}"
            yield what, f"{timed(partial(run, command)):.1f} s", "-"


def copy_row(path: Path, number: int) -> None:
    """Append copies of the row in a file, each of another job."""
    import hashlib

    start, end = path.read_bytes().split(b'"digest"')
    before, after = start.split(b'"job":"')
    seconds = end.partition(b",")[2]
    with path.open("ab") as file:
        for copy in range(number):
            job = hashlib.sha256(b"%d" % copy).hexdigest().encode()
            line = before + b'"job":"' + job + after[64:]
            digest = hashlib.sha256(line).hexdigest().encode()
            file.write(line + b'"digest":"' + digest + b'",' + seconds)


def run(command: list[str]) -> str:
    """Run a command without our own limits on threads; return its output."""
    env = {key: value for key, value in os.environ.items() if key not in ONE_CORE}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=env
    ).stdout


def timed(work: Callable[[], object]) -> float:
    """Return the wall time in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    quick = sys.argv[1:] == ["--quick"]
    if sys.argv[1:] and not quick:
        sys.exit("usage: python -m tests.bench [--quick]")
    os.environ.update(ONE_CORE)
    sys.path.insert(0, str(ROOT))
    rows: list[Row] = [
        ("measured", "figure", "goal"),
        *engine(),
        *transport(),
        *polynomials(),
        *layers(),
        *flows(),
        *commands(1 if quick else 5),
    ]
    rows += [] if quick else [large(), *resuming(), *reporting(), *clusters()]
    wide = [max(len(row[column]) for row in rows) for column in range(2)]
    print(machine(), end="\n\n")
    for what, figure, goal in rows:
        print(f"{what:<{wide[0]}}  {figure:>{wide[1]}}  {goal}")


if __name__ == "__main__":
    main()
