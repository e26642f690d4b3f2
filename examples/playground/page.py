"""The page: everything in one file of HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ..languages import Both, document, element
from .programs import ACTIVATIONS, Program

__all__ = ["page"]

FOLDER = Path(__file__).parent
TITLE = Both("Watch the report's network train", "看報告的 network 訓練")
DATA = {name: Both(name, name) for name in ("data_X", "data_100", "moons", "circles", "spiral")} | {"by hand": Both("by hand", "自己點")}
NAMES = {
    "sigmoid": Both("σ, sigmoid", "σ, sigmoid"), "tanh": Both("tanh", "tanh"), "relu": Both("relu", "relu"),
    "none": Both("none (watch it overflow)", "無（看它 overflow）"),
}  # fmt: skip
SPEEDS = {"most": Both("as many as it can", "盡量多"), **{n: Both(n, n) for n in ("1", "10", "100")}}
LABELS = {"1": Both("1, blue", "1，藍"), "0": Both("0, orange", "0，橘")}
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
    body = f"""{
        element(
            "p",
            "The network, its backpropagation and its update run here, in this page, as JavaScript that the engine wrote from its "
            "recording "
            "of one training step. With the settings below it is the report's own run: the same random numbers, the same losses.",
            "這個 network、它的 backpropagation 與更新都在這個頁面裡執行：引擎記錄一個訓練步驟，並由此寫出 JavaScript。"
            "下面的設定就是報告本身的訓練：同樣的亂數，同樣的 loss。",
        )
    }
<form>
{chooser("data", Both("data", "data"), DATA)}
<label>{Both("widths of the hidden layers", "hidden layer 的寬度").html()}
<input id="widths" type="text" value="10, 10" inputmode="numeric" autocomplete="off"></label>
{chooser("activation", Both("activation", "activation"), {name: NAMES[name] for name in ACTIVATIONS})}
<label>{Both("rate of learning", "learning rate").html()} <input id="rate" type="number" value="0.1" min="0" step="any"></label>
<label>{Both("seed", "亂數種子").html()} <input id="seed" type="number" value="2023" min="0" step="1"></label>
{chooser("speed", Both("epochs a frame", "每個畫面的 epoch"), SPEEDS)}
{chooser("label", Both("label of points set by hand", "自己點的點的 label"), LABELS)}
</form>
<div class="buttons">
<button id="play" type="button">Play</button>
{element("button", "One epoch", "一個 epoch", ' id="step" type="button"')}
{element("button", "Start again", "重新開始", ' id="reset" type="button"')}
<output id="state"></output>
<output id="warning" class="warning"></output>
</div>
<main>
<section>{element("h2", "The plane", "平面")}<canvas id="plane" width="480" height="480" role="img"></canvas>
<p><output id="accuracy"></output>{Both(". Click to set a point.", "。點一下可以加一個點。").html()}</p></section>
<section>{
        element("h2", "Loss", "Loss")
    }<canvas id="curve" width="560" height="320" role="img"></canvas><p><output id="printed"></output></p></section>
<section>{element("h2", "What each unit makes of the plane", "每個 unit 眼中的平面")}<div id="neurons" class="layers"></div></section>
<section class="wide">{element("h2", "Weights and their gradients", "weight 與 gradient")}
{element("p", "Blue is positive, orange negative; each picture has its own scale.", "藍色為正，橘色為負；每張圖有自己的尺度。")}
<div id="heats" class="heats"></div></section>
<section class="wide">{element("h2", "The equations, with their values now", "方程式，以及現在的值")}
{
        element(
            "p",
            "Derived from the recorded graph. N is the number of points, ⊙ multiplies entry by entry, Σ₀ sums over the points.",
            "由記錄的計算圖推導。N 是點的數目，⊙ 是逐項相乘，Σ₀ 是對所有的點相加。",
        )
    }
<div class="scroll"><table><tbody id="equations"></tbody></table></div></section>
</main>
<script>
const PROGRAMS = {embedded(shown)};
const PRINTED = {embedded(losses)};
const MAKERS = {{
{makers}
}};
</script>
<script>
{(FOLDER / "page.js").read_text(encoding="utf-8")}</script>"""
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    return document(TITLE, "script-src 'unsafe-inline'; style-src 'unsafe-inline'", style, body)


def chooser(name: str, label: Both, choices: Mapping[str, Both]) -> str:
    """Return a labelled list to choose from; the script writes its entries in the language of the page."""
    options = "".join(
        f'<option value="{value}" data-en="{words.en}" data-zh="{words.zh}">{words.en}</option>' for value, words in choices.items()
    )
    return f'<label>{label.html()} <select id="{name}" autocomplete="off">{options}</select></label>'


def maker(module: str) -> str:
    """Return a module's ``make`` as an expression."""
    return f"(() => {{\n{re.sub('^export ', '', module, flags=re.MULTILINE)}return make;\n}})()".replace("</", "<\\/")


def embedded(value: object) -> str:
    """Return a value as JSON that may stand in a script."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
