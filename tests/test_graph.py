"""What is recorded: nodes in the order of creation, without cycles, however deep."""

import gc
import sys
import weakref

import numpy as np
from laws import leaves_of

from tinygrad_hw import Tensor, no_grad
from tinygrad_hw.graph import Node, leaf, reachable_results


def nodes_of(*tensors):
    return [t._node for t in tensors]


def test_a_leaf_has_no_rule_and_no_edges():
    node = Tensor([1.0], requires_grad=True, name="w")._node
    assert isinstance(node, Node)
    assert (node.rule, node.args, node.edges, node.requires_grad, node.name) == (None, (), (), True, "w")


def test_a_result_knows_its_rule_its_arguments_and_its_parents():
    x, y = leaves_of([np.array([2.0]), np.array([3.0])])
    node = (x * y)._node
    assert node.rule.function is np.multiply
    assert [(parent, i) for parent, _, i in node.edges] == [(x._node, 0), (y._node, 1)]
    assert [a.tolist() for a in node.args] == [[2.0], [3.0]]


def test_only_arguments_that_need_a_gradient_have_edges_and_the_others_are_remembered():
    (x,) = leaves_of([np.ones(2)])
    constant = Tensor(np.ones(2), name="c")
    for node in ((x * constant)._node, np.hypot(x, constant)._node):
        assert [(parent, i) for parent, _, i in node.edges] == [(x._node, 0)]
        assert node.inputs[1] is constant._node
    for node in ((constant * x)._node, np.hypot(constant, x)._node):
        assert [(parent, i) for parent, _, i in node.edges] == [(x._node, 1)]
        assert node.inputs[0] is constant._node


def test_one_tensor_used_twice_has_two_edges():
    (x,) = leaves_of([np.ones(2)])
    assert [parent for parent, _, _ in (x + x)._node.edges] == [x._node, x._node]


def test_parents_have_smaller_numbers():
    x, y = leaves_of([np.ones(2), np.ones(2)])
    z = np.exp(x * y) + np.sum(x)
    for node in reachable_results([z._node]):
        assert all(parent.number < node.number for parent, _, _ in node.edges)


def test_made_gives_every_result_once_the_youngest_first_and_no_leaf():
    (x,) = leaves_of([np.ones(2)])
    a = x * 2
    b = a + a
    c = b * a
    assert reachable_results([c._node]) == nodes_of(c, b, a)
    assert reachable_results(nodes_of(a, c)) == nodes_of(c, b, a)
    assert reachable_results([x._node]) == []


def test_what_was_made_later_but_is_not_used_is_not_reached():
    (x,) = leaves_of([np.ones(2)])
    a = x * 2
    unused = a * 3
    assert unused._node not in reachable_results([(a + 1)._node])


def test_nothing_is_recorded_without_a_gradient_or_inside_no_grad():
    x = Tensor([1.0])
    assert (x * x)._node.edges == ()
    with no_grad():
        assert np.exp(Tensor([1.0], requires_grad=True))._node.edges == ()


def test_a_leaf_made_by_hand_requires_no_gradient():
    assert leaf(np.ones(2)).requires_grad is False


def chain(depth):
    (x,) = leaves_of([np.ones(1)])
    t = x
    for _ in range(depth):
        t = t + 1.0
    return x, t


def test_a_graph_dies_with_its_last_name_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        (x,) = leaves_of([np.ones(3)])
        h = np.exp(x * 2.0)
        out = np.sum(np.stack([h, np.sort(h)])[:, 1:] @ np.ones(2))
        refs = [weakref.ref(o) for o in (out, out._node, h, h._node)]
        out.backward()
        del out
        assert [ref() is None for ref in refs] == [True, True, False, False]
        del h
        assert all(ref() is None for ref in refs)
        leaf_ref = weakref.ref(x._node)
        del x
        assert leaf_ref() is None
    finally:
        gc.enable()


def test_no_call_makes_a_reference_cycle():
    (x,) = leaves_of([np.arange(4.0) + 1])
    gc.collect()
    gc.freeze()  # (what is there already is not searched twenty times)
    for call in (
        lambda: x + x,
        lambda: np.sum(x),
        lambda: x[1:],
        lambda: np.einsum("i,i->", x, x),
        lambda: np.concatenate([x, x]),
        lambda: np.std(x),
        lambda: np.clip(x, 2, 3),
        lambda: np.sort(x),
        lambda: x.reshape(2, 2) @ x.reshape(2, 2),
        lambda: (x * x).sum().backward(),
    ):
        call()
        gc.collect()
        gc.disable()
        try:
            call()
            assert gc.collect() == 0
        finally:
            gc.enable()


def test_a_chain_far_deeper_than_the_stack_is_built_walked_and_freed():
    x, t = chain(100_000)
    assert sys.getrecursionlimit() < 100_000
    assert len(reachable_results([t._node])) == 100_000
    ref = weakref.ref(t._node)
    del t
    assert ref() is None
    assert x.data == 1


def test_a_graph_that_branches_at_each_of_many_steps_is_walked_once():
    (x,) = leaves_of([np.ones(1)])
    t = x
    for _ in range(200):
        t = t + t
    assert len(reachable_results([t._node])) == 200
    t.backward()
    assert x.grad == 2.0**200
