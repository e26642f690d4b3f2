"""Run random programs of ``tinygrad_hw.testing.programs`` on arrays and on Tensors: every variable must end the same.

    python tests/programs.py 10000
    python tests/programs.py 1000 --seed 3 --smooth

What a program gives on arrays is the oracle for what it gives on Tensors: values, shapes, dtypes, and which statements raise. Where it is
smooth, the complex step (Squire & Trapp 1998) is the oracle for its gradient.
"""

import argparse
import random
import sys
import warnings

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import Tensor, no_grad
from tinygrad_hw.errors import TinygradError
from tinygrad_hw.testing.programs import Program, Writer

STEP = 1e-30
LARGE, TINY = 1e9, 1e-300  # beyond and below them a difference is rounding
READ_ONLY_AND_WRITTEN = (".at", "concatenate", "stack", "copyto", "nan_to_num")  # NumPy's, that write to read-only arrays


def random_program(seed, length=8, smooth=False):
    """Return the random program of a seed."""
    return Writer(random.Random(seed).choice, smooth).program(length)


def differences(program, checks=("data", "recorded", "no_grad")):
    """Run a program on arrays and by some of ``CHECKS``, and return what differs, a line for each; nothing if all is alike."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [f"{check}: {line}" for check in checks for line in CHECKS[check](program)]


def on_arrays(program, change):
    """Run a program on arrays; return its variables and errors."""
    variables = {f"v{k}": change(np.copy(x, order="K")) for k, x in enumerate(program.inputs)}
    errors = program.run(variables)
    return variables, errors


def compared(program, change, tensors):
    """Yield what differs between the program on arrays and on Tensors: arrays that are changed so, and these Tensors."""
    expected, raised = on_arrays(program, change)
    variables = {f"v{k}": x for k, x in enumerate(tensors)}
    for k, (ours, theirs) in enumerate(zip(program.run(variables), raised)):
        if "as NumPy's scalars are" in str(ours):
            continue  # (what is written to a scalar is lost without a word in NumPy, or another error; a Tensor refuses it)
        if theirs is None and "read-only" in str(ours) and any(f"{f}(" in program.statements[k] for f in READ_ONLY_AND_WRITTEN):
            return
        if (ours is None) != (theirs is None) or (theirs is not None and not same_error(ours, theirs)):
            yield f"statement {k}, {program.statements[k]}: {described(ours)}; on arrays {described(theirs)}"
            return
    for name in expected:
        if name not in variables:
            yield f"{name} is missing"
        elif line := unequal(variables[name], expected[name]):
            yield f"{name}: {line}"


def described(error):
    """Return what an error says, in one line."""
    return "no error" if error is None else f"{type(error).__name__} ({str(error).splitlines()[0] if str(error) else ''})"


def same_error(ours, theirs):
    """Return whether an error is of the kind of NumPy's, or one of our own; of two mistakes in one statement either may be named."""
    kinds = [IndexError, ValueError, TypeError] if isinstance(theirs, (IndexError, ValueError, TypeError)) else [type(theirs)]
    kinds += [ValueError, TypeError] if "'numpy." in str(theirs) else []  # (a scalar of NumPy has fewer attributes)
    return isinstance(ours, (*kinds, TinygradError))


def unequal(ours, theirs):
    """Return in what a variable differs from the oracle's; empty if in nothing."""
    if isinstance(theirs, list):
        lines = [unequal(a, b) for a, b in zip(ours, theirs)] if len(ours) == len(theirs) else ["another length"]
        return next((line for line in lines if line), "")
    if not isinstance(theirs, (np.ndarray, np.generic, int, float, bool)):
        return ""
    a, b = np.asarray(ours.detach().numpy() if isinstance(ours, Tensor) else ours), np.asarray(theirs)
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype} of shape {a.shape}, not {b.dtype} of shape {b.shape}"
    scale = np.max(np.abs(b[np.isfinite(b)]), initial=0) if b.dtype.kind in "fc" else 0
    if scale > LARGE or np.allclose(a, b, rtol=1e-6 if b.dtype == np.float32 else 1e-12, atol=1e-12 * scale + TINY, equal_nan=True):
        return ""
    return f"{a.tolist()}, not {b.tolist()}"


def as_data(program):
    """Tensors that need no gradient."""
    return compared(program, lambda x: x, map(Tensor, program.inputs))


def leaf(x):
    """Return a tensor that requires a gradient, if its dtype can have one."""
    return Tensor(x, requires_grad=x.dtype.kind in "fc")


def as_recorded(program):
    """Results of Tensors that require a gradient; the leaves themselves keep their values."""
    leaves = [leaf(x) for x in program.inputs]
    yield from compared(program, lambda x: x * 1, [x * 1 for x in leaves])
    for k, (t, x) in enumerate(zip(leaves, program.inputs)):
        if not np.array_equal(t.detach().numpy(), x, equal_nan=True):
            yield f"the leaf of input {k} has changed"


def inside_no_grad(program):
    """Leaves that require a gradient, inside no_grad: they are written to, and stay leaves."""
    leaves = [leaf(x) for x in program.inputs]
    with no_grad():
        yield from compared(program, lambda x: x, leaves)
    for k, t in enumerate(leaves):
        if t.requires_grad != (t.dtype.kind in "fc") or t._node.parents:
            yield f"the leaf of input {k} is one no more"


def loss_of(variables):
    """Return the sum of all floating variables, each entry with a weight of its own."""
    total = 0.0
    for k, x in enumerate(value for _, value in sorted(variables.items()) if isinstance(value, (np.ndarray, np.generic, Tensor))):
        if x.dtype.kind in "fc" and x.size:
            total = total + np.sum(x * np.cos(np.arange(x.size) + k).reshape(x.shape))
    return total


def recorded(program):
    """Return leaves, the loss of the program on results of them, and the errors of its statements."""
    leaves = [leaf(x) for x in program.inputs]
    variables = {f"v{k}": x * 1 for k, x in enumerate(leaves)}
    errors = program.run(variables)
    return leaves, loss_of(variables), errors


def gradient(program):
    """The gradient of a smooth program's loss along a random direction, against the complex step; twice, since a sweep changes nothing."""
    directions = [np.random.default_rng(k).normal(size=x.shape) for k, x in enumerate(program.inputs)]
    u = [np.array(d, order="C" if x.flags.c_contiguous else "F") for d, x in zip(directions, program.inputs)]
    waiting = iter(u)
    moved, raised = on_arrays(program, lambda x: x * 1 + STEP * 1j * next(waiting))
    expected = loss_of(moved)
    leaves, loss, errors = recorded(program)
    if [e is None for e in raised] != [e is None for e in errors] or not np.isfinite(expected) or abs(expected) > LARGE:
        return  # (some functions refuse to write real numbers into complex ones; the other checks see to the errors)
    for time in ("first", "second"):
        for t in leaves:
            t.grad = None
        if isinstance(loss, Tensor) and loss.requires_grad:
            loss.backward()
        grads = [np.zeros(t.shape) if t.grad is None else t.grad for t in leaves]
        along = sum(float(np.sum(g * d)) for g, d in zip(grads, u))
        slope, scale = float(np.imag(expected) / STEP), sum(float(np.sum(np.abs(g * d))) for g, d in zip(grads, u))
        if not abs(along - slope) <= 1e-8 * (1 + scale + abs(expected)):
            yield f"the slope is {along}, by the complex step {slope} ({time} sweep)"


def compiled(program):
    """A program without errors, compiled as a function of its inputs and called twice: it gives the same, or is refused."""
    expected, errors = on_arrays(program, lambda x: x)
    if any(errors):
        return
    names = [name for name, x in expected.items() if isinstance(x, (np.ndarray, np.generic))]
    inputs = [f"v{k}" for k, _ in enumerate(program.inputs)]
    lines = [
        f"def program({', '.join(inputs)}):",
        *(f"    {statement}" for statement in program.statements),
        f"    return {', '.join(names)},",
    ]
    space = {"np": np}
    exec("\n".join(lines), space)
    run = tg.compile(space["program"])
    for time in ("first", "second"):
        try:
            found = run(*(np.copy(x, order="K") for x in program.inputs))
        except (TinygradError, TypeError) as refused:
            if isinstance(refused, TinygradError) or "as NumPy's scalars are" in str(refused):
                return
            raise
        for name, x in zip(names, found):
            if line := unequal(x, expected[name]):
                yield f"{name}: {line} ({time} call)"


def explained(program):
    """The drawing and the equations of a program's loss can be made, and the equations compute its values."""
    _, loss, _ = recorded(program)
    if isinstance(loss, Tensor) and loss.requires_grad:
        tg.draw(loss).text()
        tg.explain(loss).check()
    yield from ()


CHECKS = {
    "data": as_data,
    "recorded": as_recorded,
    "no_grad": inside_no_grad,
    "gradient": gradient,
    "compiled": compiled,
    "explained": explained,
}


# The command
def smaller(program, checks):
    """Return the program without the statements that it differs without as well."""
    k = 0
    while k < len(program.statements):
        shorter = Program(program.inputs, program.statements[:k] + program.statements[k + 1 :])
        if differences_or_error(shorter, checks):
            program = shorter
        else:
            k += 1
    return program


def differences_or_error(program, checks):
    """Return what differs; an error that stops the comparison is a difference too."""
    try:
        return differences(program, checks)
    except Exception as error:
        return [described(error)]


def main(argv=None):
    """Run random programs; print those that differ, made smaller, and how many are alike; 0 if all are."""
    parser = argparse.ArgumentParser(prog="python tests/programs.py", description=main.__doc__)
    parser.add_argument("count", nargs="?", type=int, default=1000, help="how many programs (1000)")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed (0)")
    parser.add_argument("--length", type=int, default=8, help="statements of each (8)")
    parser.add_argument("--smooth", action="store_true", help="smooth programs only, with their gradients")
    parser.add_argument("--checks", default="", help=f"out of {', '.join(CHECKS)}, with commas")
    parser.add_argument("--show", type=int, default=10, help="how many of those that differ to print (10)")
    options = parser.parse_args(argv)
    checks = options.checks.split(",") if options.checks else ["data", "recorded", "no_grad", *(["gradient"] if options.smooth else [])]
    differ = 0
    for seed in range(options.seed, options.seed + options.count):
        program = random_program(seed, options.length, options.smooth)
        if not differences_or_error(program, checks):
            continue
        differ += 1
        if differ <= options.show:
            program = smaller(program, checks)
            print(f"seed {seed}:\n{program!r}\n# {differences_or_error(program, checks)[0]}\n", flush=True)
    print(f"{options.count - differ} of {options.count} alike")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
