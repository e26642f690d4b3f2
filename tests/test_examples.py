"""The examples run, shortened, and learn what they say; the report has a file of its own."""

from xml.etree import ElementTree

from examples import gpt, moons


def test_two_moons_are_told_apart_and_drawn(tmp_path, capsys):
    path = tmp_path / "new" / "moons.svg"
    assert moons.main(["--epochs", "25", "--out", str(path)]) > 0.93
    assert ElementTree.fromstring(path.read_bytes()).tag.endswith("svg")
    assert "epoch  24  loss 0." in capsys.readouterr().out


def test_moons_are_two_half_circles():
    points, which = moons.moons(200, noise=0.0)
    for side, centre in ((0, [0.0, 0.0]), (1, [1.0, 0.5])):
        own = points[which == side] - centre
        assert abs((own**2).sum(1) - 1).max() < 1e-12
        assert (own[:, 1] >= 0).all() if side == 0 else (own[:, 1] <= 0).all()


def test_a_gpt_learns_letters_and_writes(capsys):
    losses = gpt.main(["--steps", "30", "--letters", "20"])
    assert losses[-1] < 0.75 * losses[0]
    out = capsys.readouterr().out
    assert "62,496 parameters write:" in out
    assert len(out.split("write:\n")[1].rstrip("\n")) >= 15
