"""The engine's own mutants: slips planted in its lines, and the command that grades the tests of this package by them as well.

    python tests/engine_mutants.py tests/test_backward.py --only "engine: flow" --jobs 2

A slip is quoted as text, the right line and the wrong one: who changes a line of the engine that stands here changes it here too.
"""

import inspect
import sys
import textwrap
from functools import partial
from itertools import chain
from types import FunctionType

from tinygrad_hw import backward, entries, live, operators, tensor, transforms, trees, views
from tinygrad_hw.rules import reductions, shaping
from tinygrad_hw.scopes import Scope
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing.mutants import Mutant, main, mutants


def catalogue():
    """Return all mutants: those of the package, and of its engine."""
    return [*mutants(), *in_the_engine(), *of_views_and_writes(), *in_fast_paths()]


def in_the_engine():
    """Yield slips in what carries the rules: broadcasting, adding up, order, branches, dtypes, memory, recording."""
    for owner, function, mistake, right, wrong in (
        (backward, "flow", "assigned, for added, where a tensor is used twice", "cotangents[parent] + c", "c"),
        (reductions, "divided", "half precision counts in half precision", "wide = widened(g)", "wide = g"),
        (reductions, "folded_axes", "a scalar has an axis", " if x.ndim else ()", ""),
        (
            shaping,
            "_segments",
            "the parts of a join in reverse",
            "accumulate(x.shape[axis] for x in arrays[:-1])",
            "accumulate(x.shape[axis] for x in arrays[:0:-1])",
        ),
        (tensor, "as_argument", "tensors in a list are constants", "stacked(arg) if", "arg if"),
        (
            tensor,
            "call_composition",
            "integers that need no gradient are computed as floats",
            "needed = function",
            "needed = True or function",
        ),
        (backward, "unshared", "the cotangent given is shared with the gradient", "c.copy() if c is g else c", "c"),
        (backward, "flow", "retained gradients forgotten", "cotangents[node] if node.keeps_grad else ", ""),
        (backward, "fit", "a gradient of another dtype than its tensor's", ".astype(x.dtype)", ""),
        (backward, "sweep", "a branch not taken spoils the gradient", "if not all_finite(cotangents.values()):", "if False:"),
        (live, "live_entries", "every entry of a choice is live", 'if node.rule.kind == "choice":', "if False:"),
        (backward, "flow", "the oldest node first", "(-", "("),
        (
            tensor,
            "array_to_keep",
            "later writes to an array change the graph",
            'node.value.copy("K") if node.mutable else node.value',
            "node.value",
        ),
        (tensor, "flow_back", "the rules for two arguments where one is a constant", "rule.single_vjps if len(sources) == 1 else", ""),
        (tensor, "private_copy", "constants are not copied", 'return arg.copy("K")', "return arg"),
        (tensor, "tensors", "the gradient's own graph is cut off", "return handle(node), tuple(args)", "return node.value, node.args"),
        (tensor, "accumulated", "gradients are replaced, for added up", "np.asarray(node.grad + g)", "np.asarray(g)"),
        (Tensor, "detach", "a detached tensor stays in the graph", "return handle(", "return self; handle("),
        (Scope, "__enter__", "no_grad records", "Block(self.value,", "Block(not self.value,"),
        (Scope, "__exit__", "no_grad never ends", "block.ended = True", "block.ended = False"),
        (Scope, "__exit__", "the first of two no_grad to end ends both", "innermost(self.setting.get()))", "block.outer)"),
        (transforms, "linearized", "captured tensors are cut off", "captured = outside and", "captured = False and"),
        (transforms, "linearized", "the last of several arguments counts for all", "parts[wanted.index(n)]", "parts[-1]"),
        (transforms, "_of_complex", "the imaginary part of a Jacobian is lost", "of_one - 1j * of_i", "of_one"),
        (trees, "fitted", "dicts are matched by order", "_in_order_of(tree, given)", "leaves(given)"),
        (transforms, "seeds_of", "a result that is returned twice counts once", "seeds[node] + g if node in seeds else g", "g"),
        (transforms, "jvp", "Jᵀ t, for J t", "_, pushforward = vjp(pullback, anywhere)", "pushforward = pullback"),
        (transforms, "hvp", "the gradient, for the Hessian's product", "return vjp(grad(f), x)[1](", "return (lambda v: grad(f)(x))("),
        (
            transforms.CheckpointVJPs,
            "cotangents",
            "checkpoint trusts the second forward call",
            "used != self.used or not equal_arrays(whole._node.value, values(out))",
            "False",
        ),
    ):
        yield Mutant("engine", function, mistake, partial(rewritten, owner, function, right, wrong))


def of_views_and_writes():
    """Yield slips in what shares entries, and in what is written to them."""
    v, s = views, shaping
    for owner, function, mistake, right, wrong in (
        (v, "shares", "a view is taken for a copy", "base is not None and (base is array or base is array.base)", "False"),
        (v, "shares", "a view of a view is taken for a copy", "(base is array or base is array.base)", "base is array"),
        (v.View, "_node", "a view does not see that its root is another result", "root is self._cached_root_node and ", ""),
        (v.View, "_node", "a view does not see that its root has another array", " and root.value is self._cached_root_array", ""),
        (v, "view_of", "a view of a view takes that for its root", "x._root if type(x) is View else x", "x"),
        (v, "getitem", "a view keeps the index that the user holds", "(private_copy(index),)", "(index,)"),
        (v, "recomputed", "a view of a view is worked out before what it is a view of", "reversed(stale)", "stale"),
        (v, "recomputed", "a view that keeps its gradient forgets it at a write", "if before.keeps_grad:", "if False:"),
        (v, "recomputed", "a view loses its name at a write", "node.name = before.name", "pass"),
        (v, "steps_to", "the steps to a view in the wrong order", "tuple(reversed(steps))", "tuple(steps)"),
        (
            v,
            "setitem",
            "t[0] = t[1] is taken for the end of t[0] += v",
            " and step[0] is shaping.getitem and same_index(step[1][0], index)",
            "",
        ),
        (v, "write", "a value's gradient is cut off by a write", "source is not None and source.requires_grad", "False"),
        (v, "rebind", "a result that keeps its gradient forgets it at a write", "old.keeps_grad and bool(old.parents)", "False"),
        (v, "rebind", "a tensor loses its name at a write", "node.name = old.name", "pass"),
        (v, "require_writable", "a leaf that requires a gradient is written to", "and is_recording():", "and False:"),
        (
            v,
            "writes_to_a_graph",
            "such a leaf is written to through a view",
            "require_writable(target, root)",
            "require_writable(target, target)",
        ),
        (v, "array_to_write", "a write changes what a graph holds", "sys.getrefcount(node.value) > UNSHARED_COUNT", "False"),
        (v.WriteResult, "value", "an older version is not put together again", "if self.version == len(memory.log):", "if True:"),
        (
            v.WriteResult,
            "value",
            "writes are undone in the order in which they were made",
            "reversed(memory.log[self.version :])",
            "memory.log[self.version :]",
        ),
        (v, "recorded_write", "what a write found is not copied", "old = np.array(place[index])", "old = place[index]"),
        (v, "recorded_write", "a write through a view is undone at the root", "memory.log.append((steps,", "memory.log.append(((),"),
        (
            v,
            "recorded_write",
            "the gradient of what is not overwritten is cut off",
            "(node if node.requires_grad else None, source)",
            "(None, source)",
        ),
        (
            v,
            "recorded_write",
            "a later write changes the value of a graph",
            'Memory(array.copy(order="K"), [])',
            "Memory(array, [])",
        ),
        (
            v,
            "write_part",
            "the other part of a complex number is lost",
            "of_parts(changed, np.imag(whole))",
            "of_parts(changed, 0 * np.imag(whole))",
        ),
        (v, "assign_result", "an in-place operator lets the shape grow", "if value.shape != target.shape:", "if False:"),
        (
            v,
            "assign_result",
            "an in-place operator changes the dtype",
            "if not np.can_cast(value.dtype, target.dtype, casting):",
            "if False:",
        ),
        (v, "assign_result", "an in-place operator on a view makes a new tensor", "isinstance(target, View) or not", "not"),
        (
            v,
            "store_result",
            "where= is forgotten beside out=",
            "value if kept is True else np.where(kept, value, as_recorded(target))",
            "value",
        ),
        (v, "into_out", "a gradient is lost in an array that is given as out=", "if lost and needs_gradient((args, kwargs)):", "if False:"),
        (v, "made_again", "only the first step to a view is taken", "root = view_of(", "return view_of("),
        (s, "apply_views", "a view of a view is written to at the first step", "x = function(", "return function("),
        (s, "layout", "an array in Fortran order is copied in C order", "if x.flags.c_contiguous else", "if True else"),
        (s, "_setitem_vjps", "a write keeps the cotangent of what it overwrites", "apply_views(g, steps)[index] = 0", "pass"),
        (s, "_setitem_vjps", "a cotangent that others hold is written to", "if not may_overwrite or", "if False or"),
        (s.Entries, "add_to", "an index that repeats counts once", "np.add.at(total, self.index, self.g)", "total[self.index] += self.g"),
        (
            entries,
            "pass_on_entries",
            "a cotangent that others hold is added into",
            "if parent not in owned or not isinstance(total, np.ndarray):",
            "if total is None:",
        ),
        (entries, "pass_on_entries", "a gradient that is kept is written to", "node in owned and not node.keeps_grad", "node in owned"),
    ):
        yield Mutant("views", function, mistake, partial(rewritten, owner, function, right, wrong))


def in_fast_paths():
    """Yield slips in the operators, which are ``record`` written out."""
    for function, inner, mistake, right, wrong in (
        (
            "binary",
            "direct",
            "a constant array is not copied",
            "y.copy() if isinstance(y, ndarray) else y), (node, None)",
            "y), (node, None)",
        ),
        ("binary", "reflected", "a constant array on the left is not copied", "x.copy() if isinstance(x, ndarray) else x", "x"),
        ("binary", "direct", "records inside no_grad", "if not (is_recording() and (", "if not ((True) and ("),
        ("binary", "direct", "an array that the user holds is not copied", "x = array_to_keep(node)", "pass"),
        ("binary", "direct", "the other's array is not copied", "y = array_to_keep(node_y)", "pass"),
        (
            "binary",
            "direct",
            "the gradient goes to the other operand",
            "(node, None) if node.requires_grad else (None, node_y)",
            "(None, node_y) if node.requires_grad else (node, None)",
        ),
        ("binary", "reflected", "the operands exchanged", "calls(x, y)", "calls(y, x)"),
        ("binary", "reflected", "an array that the user holds is not copied", "array_to_keep(node) if node.mutable else y", "y"),
        ("unary", "method", "records inside no_grad", "node.requires_grad and is_recording()", "node.requires_grad"),
        ("unary", "method", "an array that the user holds is not copied", "x = array_to_keep(node)", "pass"),
        ("reduction", "fold", "keepdims forgotten", "if axis is None and not keepdims:", "if axis is None:"),
        ("without_gradient", "reflected", "the operands exchanged", "function(x, self._node.value)", "function(self._node.value, x)"),
    ):
        yield Mutant("operators", function, f"{inner}: {mistake}", partial(rewritten_inside, operators, function, inner, right, wrong))


def rewritten(owner, function, right, wrong):
    """Return the patch that gives a function the code of its own source with a part rewritten: whoever holds it sees that."""
    original = getattr(owner, function)
    original = original.fget if isinstance(original, property) else original
    return [(original, "__code__", changed(original, right, wrong).__code__)]


def rewritten_inside(owner, function, inner, right, wrong):
    """Return the patches for all functions that another one has made, inside of which a part is rewritten."""
    outer = getattr(owner, function)
    right_code, wrong_code = (part_of(code, inner) for code in (outer.__code__, changed(outer, right, wrong).__code__))
    held = (*vars(Tensor).values(), *tensor.FAST_UNARY.values(), *tensor.REPLACEMENTS.values(), *chain(*tensor.FAST_BINARY.values()))
    return [(x, "__code__", wrong_code) for x in with_closures(held) if x.__code__ is right_code]


def with_closures(functions):
    """Return functions, and those that they hold in their closures."""
    found = set()
    waiting = [f for f in functions if isinstance(f, FunctionType)]
    while waiting:
        f = waiting.pop()
        if f not in found:
            found.add(f)
            waiting += [cell.cell_contents for cell in f.__closure__ or () if isinstance(cell.cell_contents, FunctionType)]
    return found


def changed(original, right, wrong):
    """Return a function made of another one's source with a part rewritten."""
    source = textwrap.dedent(inspect.getsource(original))
    if right not in source:
        raise LookupError(f"{original.__name__}: its source has no {right!r} any more: the mutant must be written anew")
    made = {}
    undecorated = source[source.index("def ") :]
    exec(compile(undecorated.replace(right, wrong), inspect.getfile(original), "exec"), original.__globals__, made)
    return made[original.__code__.co_name]


def part_of(code, name):
    """Return the code of a function inside of another one."""
    return next(part for part in code.co_consts if getattr(part, "co_name", "") == name)


if __name__ == "__main__":
    sys.exit(main(catalogue=catalogue()))
