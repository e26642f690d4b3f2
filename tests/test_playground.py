"""The page that trains: the report's own losses in a browser, from the same random numbers, fast; whatever is chosen."""

import re
import time

import numpy as np
import pytest

from examples.playground.__main__ import main, printed
from examples.playground.programs import ACTIVATIONS, DEPTHS, programs


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("playground") / "deep" / "page.html"
    assert main(["--out", str(file)]) == 0
    return file


@pytest.fixture
def opened(browser, page):
    browser.open(page.as_uri())
    return browser


@pytest.fixture
def left_open(browser, page):
    """The page, opened before or now: for what does not depend on the choices that were made before."""
    if browser.run("return document.URL") != page.as_uri():
        browser.open(page.as_uri())
    return browser


def choose(browser, **values):
    """Set fields of the form, as a user would."""
    script = "const f = document.getElementById(arguments[0]); f.value = arguments[1]; f.dispatchEvent(new Event('change'))"
    for name, value in values.items():
        browser.run(script, name, value)


# The file
def test_the_page_is_one_file_that_asks_for_nothing(page):
    text = page.read_text()
    assert not re.search(r"""(src|href)=["']""", text)
    assert "Content-Security-Policy" in text


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path / "file" / "page.html")])
    assert "cannot write" in capsys.readouterr().err


def test_every_equation_but_the_losss_has_its_value_in_the_programs_memory():
    for key, program in programs().items():
        memory = re.search(r"memory = \{(.*)\}", program.step)[1].split(", ")
        assert {equation.name for equation in program.equations} - {"L"} <= set(memory), key


# In a browser
def test_5000_epochs_end_at_the_loss_that_the_report_printed(opened):
    found = opened.run("return playground.advance(5000)")
    assert abs(found - printed()["data_X"][5000]) < 1e-9
    opened.run("playground.draw()")
    assert "losses that the report printed, up to here 1:" in opened.text("#printed")


def test_50000_epochs_take_at_most_ten_seconds_and_get_every_point_right(opened):
    start = time.perf_counter()
    found = opened.run("return playground.advance(50000)")
    assert time.perf_counter() - start < 10
    assert abs(found - printed()["data_X"][50000]) < 1e-9
    opened.run("playground.draw()")
    assert opened.text("#accuracy") == "21 of 21 points right"


def test_the_other_runs_are_the_reports_too(opened):
    choose(opened, data="data_100")
    assert abs(opened.run("return playground.advance(5000)") - printed()["data_100"][5000]) < 1e-9
    choose(opened, data="data_X", rate="0.01")
    opened.run("playground.restart()")
    assert abs(opened.run("return playground.advance(5000)") - printed()["data_X_lr_0.01"][5000]) < 1e-9


@pytest.mark.parametrize("seed", [0, 2023, 4294967295])
def test_the_random_numbers_are_numpys(left_open, seed):
    random = np.random.RandomState(seed)
    expected = [*random.uniform(size=700), *random.randn(701)]
    draw = "const r = new playground.Random(arguments[0]); return [...Array(700).keys()].map(() => r.uniform())"
    found = left_open.run(f"{draw}.concat([...Array(701).keys()].map(() => r.normal()))", seed)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_program_lowers_the_loss_and_draws_without_a_message(left_open, depth, activation):
    choose(left_open, activation=activation, widths=", ".join(["4", "6", "3"][:depth]), rate="0.003", data="circles")
    first, last = left_open.run("const a = playground.advance(1); return [a, playground.advance(300)]")
    left_open.run("playground.draw()")
    assert last < first
    assert left_open.run("return document.querySelectorAll('#neurons canvas').length") == sum([4, 6, 3][:depth])
    assert left_open.run("return document.querySelectorAll('#equations tr').length") == len(programs()[f"{depth} {activation}"].equations)
    assert left_open.messages() == []


def visible_words(browser):
    """Return what the page says, those entries of its lists included that are chosen, without formulas and numbers."""
    lists = "[...document.querySelectorAll('select')].flatMap((s) => [...s.options].map((o) => o.textContent))"
    return browser.run(
        f"return [...document.querySelectorAll('main, form, .buttons, h1')].map((e) => e.innerText).concat({lists}).join('\\n')"
    )


def test_the_page_speaks_chinese_by_the_same_switch_and_goes_on_training(opened):
    opened.run("playground.advance(5000); playground.draw()")
    english = visible_words(opened)
    opened.click("#zh")
    chinese = visible_words(opened)
    assert not re.search("[\u4e00-\u9fff]", english) and opened.run("return document.documentElement.lang") == "zh-Hant"
    assert "21 個點中有" in chinese and "播放" in chinese and "自己點" in chinese and "報告印出的 1 個 loss" in chinese
    left = {line for line in chinese.split("\n") if re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", line)}
    assert left == set()
    assert opened.run("return playground.now.epoch") == 5000
    opened.run("location.hash = '#en'")
    opened.run("return new Promise((done) => setTimeout(done, 50))")
    assert visible_words(opened) == english


def test_without_an_activation_the_loss_overflows_and_the_page_says_so(opened):
    choose(opened, activation="none")
    opened.run("playground.advance(20); playground.draw()")
    assert "overflowed" in opened.text("#warning")
    assert opened.messages() == []


@pytest.mark.parametrize("data", ["moons", "circles", "spiral"])
def test_all_points_of_the_data_are_in_view(left_open, data):
    choose(left_open, data=data)
    points = np.array(left_open.run("return playground.now.points"))
    assert len(points) >= 100 and points[:, :2].min() > -0.1 and points[:, :2].max() < 1.1
    assert 0.4 < points[:, 2].mean() < 0.6


def test_a_click_sets_a_point_with_the_chosen_label(opened):
    choose(opened, label="0")
    opened.click("#plane")
    opened.click("#plane")
    points = opened.run("return playground.now.points")
    assert [point[2] for point in points] == [0, 0]
    assert np.allclose(np.array(points)[:, :2], 0.5, atol=0.01)
    assert np.isfinite(opened.run("return playground.advance(10)"))


def test_playing_trains_and_pausing_stops(opened):
    opened.click("#play")
    time.sleep(0.5)
    opened.click("#play")
    epoch = opened.run("return playground.now.epoch")
    time.sleep(0.2)
    assert epoch > 10 and opened.run("return playground.now.epoch") == epoch
    opened.click("#step")
    assert opened.run("return playground.now.epoch") == epoch + 1
    opened.click("#reset")
    assert opened.text("#state").startswith("epoch 0")


def test_a_width_that_makes_no_sense_is_refused(left_open):
    choose(left_open, widths="0, x")
    assert not left_open.run("return document.getElementById('widths').validity.valid")
    assert left_open.run("return playground.now.widths") == [2, 10, 10, 1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_in_light_and_dark_and_asks_for_nothing(browser, page, scheme):
    browser.emulate(scheme, width=390)
    browser.open(page.as_uri())
    browser.run("playground.advance(10); playground.draw()")
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert [address for address in browser.requests() if not address.startswith(page.as_uri())] == []
    assert browser.messages() == []
