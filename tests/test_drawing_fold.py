"""Folding large graphs, on random plain graphs: nothing is lost, nothing goes round in circles, fewer boxes hide more."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_hw import draw as drawn
from tinygrad_hw import nn
from tinygrad_hw.drawing.fold import fold
from tinygrad_hw.drawing.picture import shared_path
from tinygrad_hw.drawing.recorded import Recorded, Vertex
from tinygrad_hw.naming import Label


@st.composite
def graphs(draw):
    """Draw a graph: leaves and results with fan-out, repeated operands, modules that were called in order, several outputs."""
    vertices = []
    path = ()
    for i in range(draw(st.integers(1, 40))):
        leaf = i == 0 or draw(st.booleans())
        change = draw(st.sampled_from(["stay", "stay", "enter", "leave"]))
        path = path[:-1] if change == "leave" else (*path, f"m{i}") if change == "enter" and len(path) < 3 else path
        if leaf:
            vertices.append(Vertex(Label(f"v{i}"), draw(st.sampled_from(["parameter", "input", "constant"]))))
            continue
        near = st.integers(max(0, i - 3), max(0, i - 1)) | st.integers(0, max(0, i - 1))
        operands = tuple(draw(st.lists(near, min_size=1, max_size=3)))
        operation = draw(st.sampled_from(["add", "tanh", "matmul"]))
        vertices.append(Vertex(Label(f"v{i}"), "result", operation, operands, tuple(range(len(operands))), path))
    used = {operand for vertex in vertices for operand in vertex.operands}
    return Recorded(vertices, tuple(i for i in range(len(vertices)) if i not in used))


def chain(operations):
    """Return operations applied one after the other to an input."""
    results = [Vertex(Label(f"v{i}"), "result", operation, (i,), (0,)) for i, operation in enumerate(operations)]
    return Recorded([Vertex(Label("x"), "input"), *results], (len(operations),))


rooms = st.integers(2, 45)


@given(graphs(), rooms, st.none() | st.integers(1, 3))
def test_every_vertex_is_in_one_group_or_omitted_there_is_room_for_all_groups_and_they_form_no_circle(graph, most, depth):
    groups, omitted = fold(graph, most, depth)
    members = [member for group in groups for member in group.members]
    assert len(members) == len(set(members))
    assert len(members) + omitted == len(graph.vertices)
    assert len(groups) + bool(omitted) <= most
    owner = {member: i for i, group in enumerate(groups) for member in group.members}
    below = {i: set() for i in range(len(groups))}
    for i, vertex in enumerate(graph.vertices):
        for operand in vertex.operands:
            same_run = i in owner and operand in owner and None is not groups[owner[i]].run == groups[owner[operand]].run
            if i in owner and operand in owner and graph.vertices[operand].operation and owner[operand] != owner[i] and not same_run:
                below[owner[i]].add(owner[operand])
    while free := [i for i, operands in below.items() if not operands & below.keys()]:
        for i in free:
            del below[i]
    assert not below


@given(graphs(), rooms)
def test_more_room_never_hides_more_and_enough_hides_nothing(graph, most):
    groups, omitted = fold(graph, most)
    assert omitted or max(graph.outputs) in {group.members[-1] for group in groups}, "an output that is drawn is the result of its group"
    assert omitted >= fold(graph, most + 1)[1]
    groups, omitted = fold(graph, len(graph.vertices) + most)
    assert omitted == 0
    assert [group.members for group in groups] == [(vertex,) for vertex in range(len(graph.vertices))]


@given(st.integers(1, 4), st.integers(2, 30), st.integers(2, 8))
def test_what_repeats_is_drawn_once_or_becomes_one_group_with_its_count(period, times, most):
    length = period * times
    groups, omitted = fold(chain([f"op{i % period}" for i in range(length)]), most)
    if length > most:
        assert omitted == 0
        assert sum(len(group.members) for group in groups) == length + 1
        if len(groups) == 1:
            assert groups[0].title == " + ".join(f"op{i}" for i in range(period)) + f" × {times}"
        elif period < most:
            assert [len(group.times) for group in groups] == [0, *[times] * period]


def test_a_long_chain_of_different_operations_is_cut_near_its_end():
    groups, omitted = fold(chain([f"op{i}" for i in range(5_000)]), 10)
    assert [group.members for group in groups] == [(i,) for i in range(4_992, 5_001)]
    assert omitted == 5_001 - 9


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=4).map(tuple), min_size=1))
def test_the_shared_path_is_the_longest_beginning_of_all(paths):
    common = shared_path(paths)
    assert all(path[: len(common)] == common for path in paths)
    longer = {path[: len(common) + 1] for path in paths}
    assert len(longer) > 1 or longer == {common}


@pytest.mark.parametrize("direction, height, width", [("TB", 1200, 900), ("LR", 400, 1700)])
def test_a_convolutional_network_fits_a_screen_in_both_directions(direction, height, width):
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(784, 10))
    loss = nn.cross_entropy(net(np.random.default_rng(0).normal(size=(4, 1, 28, 28))), np.arange(4))
    box = re.search(r'viewBox="0\.00 0\.00 ([\d.]+) ([\d.]+)"', drawn(loss, direction=direction).svg())
    assert float(box[1]) <= width and float(box[2]) <= height
