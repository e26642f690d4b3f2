"""Trees: leaves in order, structures rebuilt, dicts matched by key, equal values told from others."""

from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_hw.errors import ShapeError
from tinygrad_hw.trees import content, fitted, leaves, mapped, paths, rebuilt, skeleton

Pair = namedtuple("Pair", "first second")
numbers = st.integers(0, 9)
trees = st.recursive(
    st.none() | numbers,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2) | numbers, inner, max_size=3)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=8,
)


def reordered(tree):
    """Return the tree with the keys of each dict inserted the other way round."""
    if isinstance(tree, dict):
        return {key: reordered(tree[key]) for key in reversed(tree)}
    if isinstance(tree, Pair):
        return Pair(*map(reordered, tree))
    return type(tree)(map(reordered, tree)) if isinstance(tree, (tuple, list)) else tree


@given(trees)
def test_a_tree_rebuilt_from_its_leaves_is_the_same(tree):
    again = rebuilt(tree, leaves(tree))
    assert again == tree
    assert type(again) is type(tree)


@given(trees)
def test_a_mapped_tree_has_the_mapped_leaves(tree):
    assert leaves(mapped(lambda x: x + 1, tree)) == [x + 1 for x in leaves(tree)]


@given(trees)
def test_what_is_given_in_another_order_of_keys_comes_in_the_trees_order(tree):
    assert fitted(tree, reordered(tree), "it") == leaves(tree)


@given(trees)
def test_a_path_leads_to_its_leaf(tree):
    for path, x in zip(paths(tree), leaves(tree), strict=True):
        assert eval(f"tree{path}") == x


def test_ordered_dicts_default_dicts_and_named_tuples_keep_their_type():
    given = {"o": OrderedDict(b=1, a=2), "d": defaultdict(list, x=3), "p": Pair(4, (5,))}
    twice = mapped(lambda x: 2 * x, given)
    assert twice == {"o": OrderedDict(b=2, a=4), "d": {"x": 6}, "p": Pair(8, (10,))}
    assert list(map(type, twice.values())) == [OrderedDict, defaultdict, Pair]
    assert twice["d"].default_factory is list
    assert given["o"] == OrderedDict(b=1, a=2)


def test_dicts_of_different_classes_and_orders_match_by_key():
    assert fitted(OrderedDict(a=1, b=2), {"b": "B", "a": "A"}, "it") == ["A", "B"]
    assert fitted({"b": 1, "a": 2}, OrderedDict(a="A", b="B"), "it") == ["B", "A"]


@pytest.mark.parametrize(("tree", "given"), [({"a": 1}, {"b": 1}), ([1], (1,)), ([1, 2], [1]), (1, None), ({"a": 1}, [1])])
def test_another_structure_is_refused_and_both_are_named(tree, given):
    with pytest.raises(ShapeError) as caught:
        fitted(tree, given, "the cotangent")
    assert str(caught.value) == f"the cotangent must have the structure {skeleton(tree)}, not {skeleton(given)}"


def test_a_skeleton_shows_a_star_for_each_leaf():
    assert skeleton({"W": np.ones(2), "b": [1.0, None, (2,)]}) == {"W": "*", "b": ["*", None, ("*",)]}


a = np.arange(6.0)
ALIKE = [
    (a, a.copy()),
    (a.reshape(2, 3), a.reshape(2, 3)[:]),
    (slice(1, None), slice(1, None)),
    ({"k": [a]}, {"k": [a.copy()]}),
    (np.exp, np.exp),
]
NUMBERS = [1, 1.0, True, np.float64(1), 1 + 0j, 0.0, -0.0]
ARRAYS = [a, a.astype(np.float32), a.reshape(2, 3), a + 1, np.zeros((0, 2)), np.zeros((2, 0))]
DIFFERENT = [*NUMBERS, *ARRAYS, "1", None, (1,), [1], slice(1), np.exp, np.sin]


@pytest.mark.parametrize(("x", "y"), ALIKE)
def test_equal_values_have_the_same_content(x, y):
    assert content(x) == content(y)
    assert hash(content(x)) == hash(content(y))


def test_values_that_differ_in_anything_have_different_contents():
    assert len(set(map(content, DIFFERENT))) == len(DIFFERENT)
