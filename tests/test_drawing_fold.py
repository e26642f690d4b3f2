"""Folding large graphs, on random plain outlines: nothing is lost, nothing goes round in circles, fewer boxes hide more."""

from hypothesis import given
from hypothesis import strategies as st

from tinygrad_hw.drawing.fold import Outline, fold
from tinygrad_hw.drawing.picture import shared_path


@st.composite
def outlines(draw):
    """Draw a graph: leaves and results with fan-out, repeated operands, modules that were called in order, several outputs."""
    kinds, operations, operands, paths = [], [], [], []
    path = ()
    for vertex in range(draw(st.integers(1, 40))):
        leaf = vertex == 0 or draw(st.booleans())
        change = draw(st.sampled_from(["stay", "stay", "enter", "leave"]))
        path = path[:-1] if change == "leave" else (*path, f"m{vertex}") if change == "enter" and len(path) < 3 else path
        kinds.append(draw(st.sampled_from(["parameter", "input", "constant"])) if leaf else "result")
        operations.append("" if leaf else draw(st.sampled_from(["add", "tanh", "matmul"])))
        near = st.integers(max(0, vertex - 3), max(0, vertex - 1)) | st.integers(0, max(0, vertex - 1))
        operands.append(() if leaf else tuple(draw(st.lists(near, min_size=1, max_size=3))))
        paths.append(() if leaf else path)
    used = {operand for own in operands for operand in own}
    outputs = tuple(vertex for vertex in range(len(kinds)) if vertex not in used)
    return Outline(kinds, operations, operands, paths, outputs)


rooms = st.integers(2, 45)


@given(outlines(), rooms, st.none() | st.integers(1, 3))
def test_every_vertex_is_in_one_group_or_counted_as_omitted(outline, most, depth):
    groups, omitted = fold(outline, most, depth)
    members = [member for group in groups for member in group.members]
    assert len(members) == len(set(members))
    assert len(members) + omitted == len(outline.kinds)


@given(outlines(), rooms, st.none() | st.integers(1, 3))
def test_there_are_no_more_boxes_than_there_is_room_for(outline, most, depth):
    groups, omitted = fold(outline, most, depth)
    assert len(groups) + bool(omitted) <= most


@given(outlines(), rooms, st.none() | st.integers(1, 3))
def test_groups_never_form_a_circle(outline, most, depth):
    groups, _ = fold(outline, most, depth)
    owner = {member: i for i, group in enumerate(groups) for member in group.members}
    below = {i: set() for i in range(len(groups))}
    for vertex, operands in enumerate(outline.operands):
        for operand in operands:
            if vertex in owner and operand in owner and outline.operations[operand] and owner[operand] != owner[vertex]:
                below[owner[vertex]].add(owner[operand])
    while free := [i for i, operands in below.items() if not operands & below.keys()]:
        for i in free:
            del below[i]
    assert not below


@given(outlines(), rooms)
def test_where_there_is_room_everything_is_drawn_as_it_is(outline, most):
    groups, omitted = fold(outline, len(outline.kinds) + most)
    assert omitted == 0
    assert [group.members for group in groups] == [(vertex,) for vertex in range(len(outline.kinds))]


@given(outlines(), rooms)
def test_more_room_never_hides_more(outline, most):
    assert fold(outline, most)[1] >= fold(outline, most + 1)[1]


@given(outlines(), rooms)
def test_an_output_that_is_drawn_is_the_result_of_its_group(outline, most):
    groups, omitted = fold(outline, most)
    last = {group.members[-1] for group in groups}
    youngest = max(outline.outputs)
    assert youngest in last or omitted


@given(st.integers(1, 4), st.integers(2, 30), st.integers(2, 8))
def test_what_repeats_becomes_one_group_with_its_count(period, times, most):
    length = period * times
    operations = ["", *[f"op{i % period}" for i in range(length)]]
    operands = [(), *[(i,) for i in range(length)]]
    outline = Outline(["input", *["result"] * length], operations, operands, [()] * (length + 1), (length,))
    groups, omitted = fold(outline, most)
    if length > most:
        assert omitted == 0
        (group,) = groups
        assert group.title == " + ".join(f"op{i}" for i in range(period)) + f" ×{times}"
        assert len(group.members) == length + 1


def test_a_long_chain_of_different_operations_is_cut_near_its_end():
    operations = ["", *[f"op{i}" for i in range(50_000)]]
    outline = Outline(["input", *["result"] * 50_000], operations, [(), *[(i,) for i in range(50_000)]], [()] * 50_001, (50_000,))
    groups, omitted = fold(outline, 10)
    assert [group.members for group in groups] == [(i,) for i in range(49_992, 50_001)]
    assert omitted == 50_001 - 9


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=4).map(tuple), min_size=1))
def test_the_shared_path_is_the_longest_beginning_of_all(paths):
    common = shared_path(paths)
    assert all(path[: len(common)] == common for path in paths)
    longer = {path[: len(common) + 1] for path in paths}
    assert len(longer) > 1 or longer == {common}
