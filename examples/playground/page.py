"""The page: everything in one file of HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from .programs import ACTIVATIONS, Program

__all__ = ["page"]

FOLDER = Path(__file__).parent
DATA = ("data_X", "data_100", "moons", "circles", "spiral", "by hand")
NAMES = {"sigmoid": "σ, sigmoid", "tanh": "tanh", "relu": "relu", "none": "none (watch it overflow)"}
RUNS = {"data_X": ("data_X", 0.1), "data_100": ("data_100", 0.1), "data_X_lr_0.01": ("data_X", 0.01)}


def page(programs: Mapping[str, Program], printed: Mapping[str, Mapping[int, float]]) -> str:
    """Return the page.

    Parameters
    ----------
    programs : by depth and activation.
    printed : of each run of the report, the losses by epoch.
    """
    shown = {key: {"parameters": p.parameters, "equations": [asdict(equation) for equation in p.equations]} for key, p in programs.items()}
    makers = ",\n".join(f"{json.dumps(key)}: {{step: {maker(p.step)}, predict: {maker(p.predict)}}}" for key, p in programs.items())
    losses = {f"{data} {rate}": printed[run] for run, (data, rate) in RUNS.items()}
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>Watch the report's network train</title>
<style>
{(FOLDER / "page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<h1>Watch the report's network train</h1>
<p>The network, its backpropagation and its update run here, in this page, as JavaScript that the engine wrote from its recording of one
training step. With the settings below it is the report's own run: the same random numbers, the same losses.</p>
<form>
{chooser("data", "data", {name: name for name in DATA})}
<label>widths of the hidden layers <input id="widths" type="text" value="10, 10" inputmode="numeric" autocomplete="off"></label>
{chooser("activation", "activation", {name: NAMES[name] for name in ACTIVATIONS})}
<label>rate of learning <input id="rate" type="number" value="0.1" min="0" step="any"></label>
<label>seed <input id="seed" type="number" value="2023" min="0" step="1"></label>
{chooser("speed", "epochs a frame", {"most": "as many as it can", "1": "1", "10": "10", "100": "100"})}
{chooser("label", "label of points set by hand", {"1": "1, blue", "0": "0, orange"})}
</form>
<div class="buttons">
<button id="play" type="button">Play</button>
<button id="step" type="button">One epoch</button>
<button id="reset" type="button">Start again</button>
<output id="state"></output>
<output id="warning" class="warning"></output>
</div>
<main>
<section><h2>The plane</h2><canvas id="plane" width="480" height="480" role="img" aria-label="the points, and what the network predicts for
each place of the plane"></canvas><p><output id="accuracy"></output>. Click to set a point.</p></section>
<section><h2>Loss</h2><canvas id="curve" width="560" height="320" role="img" aria-label="the loss over the epochs"></canvas>
<p><output id="printed"></output></p></section>
<section><h2>What each unit makes of the plane</h2><div id="neurons" class="layers"></div></section>
<section class="wide"><h2>Weights and their gradients</h2><p>Blue is positive, orange negative; each picture has its own scale.</p>
<div id="heats" class="heats"></div></section>
<section class="wide"><h2>The equations, with their values now</h2><p>Derived from the recorded graph. N is the number of points,
⊙ multiplies entry by entry, Σ₀ sums over the points.</p><div class="scroll"><table><tbody id="equations"></tbody></table></div></section>
</main>
<script>
const PROGRAMS = {embedded(shown)};
const PRINTED = {embedded(losses)};
const MAKERS = {{
{makers}
}};
</script>
<script>
{(FOLDER / "page.js").read_text(encoding="utf-8")}</script>
</body>
</html>
"""


def chooser(name: str, label: str, choices: Mapping[str, str]) -> str:
    """Return a labelled list to choose from."""
    options = "".join(f'<option value="{value}">{text}</option>' for value, text in choices.items())
    return f'<label>{label} <select id="{name}" autocomplete="off">{options}</select></label>'


def maker(module: str) -> str:
    """Return a module's ``make`` as an expression."""
    return f"(() => {{\n{re.sub('^export ', '', module, flags=re.MULTILINE)}return make;\n}})()".replace("</", "<\\/")


def embedded(value: object) -> str:
    """Return a value as JSON that may stand in a script."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
