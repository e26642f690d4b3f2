"use strict";
// PROGRAMS, PRINTED and MAKERS stand before this in the page.

const $ = (id) => document.getElementById(id);
const say = (en, zh) => (document.documentElement.lang === "en" ? en : zh);
const GRID = 48; // points a side at which the plane is looked at
const LOW = -0.1, HIGH = 1.1; // what is shown of the plane

// NumPy's legacy random numbers: the Mersenne Twister, and the polar method for normal ones
class Random {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed >>> 0;
    for (let i = 1; i < 624; i++) {
      const s = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, s) + i;
    }
    this.place = 624;
    this.kept = null;
  }
  integer() {
    if (this.place === 624) {
      const s = this.state;
      for (let i = 0; i < 624; i++) {
        const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
        s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.place = 0;
    }
    let y = this.state[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }
  uniform() {
    const a = this.integer() >>> 5, b = this.integer() >>> 6;
    return (a * 67108864 + b) / 9007199254740992;
  }
  normal() {
    if (this.kept !== null) {
      const kept = this.kept;
      this.kept = null;
      return kept;
    }
    let x, y, r;
    do {
      x = 2 * this.uniform() - 1;
      y = 2 * this.uniform() - 1;
      r = x * x + y * y;
    } while (r >= 1 || r === 0);
    const f = Math.sqrt((-2 * Math.log(r)) / r);
    this.kept = f * x;
    return f * y;
  }
}

// Data: points of the unit square, each with a label
function data100(random) {
  const points = [];
  for (let i = 0; i < 100; i++) points.push([random.uniform(), random.uniform()]);
  return points.map(([x, y]) => [x, y, x > y ? 0 : 1]);
}
function dataX() {
  const points = [];
  for (let i = 0; i < 11; i++) {
    points.push([0.1 * i, 0.1 * i, 0]);
    if (i !== 5) points.push([0.1 * i, 1 - 0.1 * i, 1]);
  }
  return points;
}
const around = (random, spread) => spread * random.normal();
const DATA = {
  data_X: dataX,
  data_100: null, // drawn from the network's own random numbers, before it
  moons: (random) => Array.from({length: 100}, (_, k) => {
    const t = Math.PI * random.uniform(), label = k % 2;
    const x = label ? 1 - Math.cos(t) : Math.cos(t), y = label ? 0.5 - Math.sin(t) : Math.sin(t);
    return [(x + 1.1 + around(random, 0.08)) / 3.2, (y + 0.7 + around(random, 0.08)) / 1.9, label];
  }),
  circles: (random) => Array.from({length: 100}, (_, k) => {
    const t = 2 * Math.PI * random.uniform(), label = k % 2, r = (label ? 0.42 : 0.18) + around(random, 0.03);
    return [0.5 + r * Math.cos(t), 0.5 + r * Math.sin(t), label];
  }),
  spiral: (random) => Array.from({length: 120}, (_, k) => {
    const label = k % 2, r = (k + 4) / 128, t = 3.4 * Math.PI * r + label * Math.PI;
    return [0.5 + 0.46 * r * Math.cos(t) + around(random, 0.006), 0.5 + 0.46 * r * Math.sin(t) + around(random, 0.006), label];
  }),
};

// The network as it is now
const now = {points: [], losses: [], epoch: 0, loss: NaN, playing: false};

function settings() {
  const widths = $("widths").value.split(",").map((w) => Math.trunc(Number(w)));
  const good = widths.length >= 1 && widths.length <= 3 && widths.every((w) => w >= 1 && w <= 100);
  $("widths").setCustomValidity(good ? "" : say("one to three widths from 1 to 100, with commas between them", "一到三個寬度，每個從 1 到 100，以逗號分開"));
  if (!good) $("widths").reportValidity();
  return {widths: good ? widths : [10, 10], activation: $("activation").value, data: $("data").value, seed: Number($("seed").value) || 0};
}

function reset(points) {
  const chosen = settings(), random = new Random(chosen.seed);
  const first = data100(random); // the report draws these before its network, whatever it trains on
  now.chosen = chosen;
  now.widths = [2, ...chosen.widths, 1];
  const parameters = [];
  for (let k = 1; k < now.widths.length; k++) {
    parameters.push(Float64Array.from({length: now.widths[k - 1] * now.widths[k]}, () => random.normal()));
    parameters.push(Float64Array.from({length: now.widths[k]}, () => random.normal()));
  }
  now.parameters = parameters;
  if (points) now.points = points;
  else if (chosen.data !== "by hand") now.points = chosen.data === "data_100" ? first : DATA[chosen.data](new Random(chosen.seed + 1));
  now.epoch = 0;
  now.loss = NaN;
  now.losses = [];
  build();
}

function build() {
  const key = `${now.chosen.widths.length} ${now.chosen.activation}`, sizes = {N: now.points.length};
  now.widths.slice(0, -1).forEach((width, k) => (sizes[`n${k}`] = width));
  now.program = PROGRAMS[key];
  now.step = MAKERS[key].step(sizes);
  now.predict = MAKERS[key].predict({...sizes, N: GRID * GRID});
  now.X = Float64Array.from(now.points.flatMap(([x, y]) => [x, y]));
  now.y = Float64Array.from(now.points, (point) => point[2]);
  layOut();
  draw();
}

// Trains for some epochs; returns the loss of the last one, before its update, as the report prints it.
function train(epochs) {
  const rate = Number($("rate").value), {X, y, parameters, step} = now;
  for (let k = 0; k < epochs; k++) {
    now.loss = step(X, y, ...parameters, rate);
    now.epoch++;
    if (now.epoch <= 100 || now.epoch % Math.max(1, 10 ** (Math.floor(Math.log10(now.epoch)) - 2)) === 0) now.losses.push([now.epoch, now.loss]);
  }
  return now.loss;
}

// Drawing
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const BLUE = [11, 110, 190], ORANGE = [224, 123, 20];
function mixed(t) { // −1 orange ... 0 the page's own colour ... 1 blue
  const zero = css("--zero").split(" ").map(Number), end = t < 0 ? ORANGE : BLUE, s = Math.min(1, Math.abs(t));
  return zero.map((z, k) => Math.round(z + (end[k] - z) * s));
}
let shades = [];
function makeShades() {
  shades = Array.from({length: 257}, (_, k) => mixed((k - 128) / 128));
}
const shade = (t) => shades[Number.isNaN(t) ? 128 : Math.max(0, Math.min(256, Math.round(128 + 128 * t)))];

function paint(canvas, columns, rows, value) {
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  for (let p = 0; p < columns * rows; p++) {
    const [r, g, b] = shade(value(p));
    image.data.set([r, g, b, 255], 4 * p);
  }
  context.putImageData(image, 0, 0);
}

const places = new Float64Array(2 * GRID * GRID);
for (let i = 0; i < GRID; i++) {
  for (let j = 0; j < GRID; j++) {
    places[2 * (i * GRID + j)] = LOW + ((HIGH - LOW) * (j + 0.5)) / GRID;
    places[2 * (i * GRID + j) + 1] = HIGH - ((HIGH - LOW) * (i + 0.5)) / GRID;
  }
}

function drawPlane() {
  const out = now.predict(places, ...now.parameters), canvas = $("plane"), small = document.createElement("canvas");
  paint(small, GRID, GRID, (p) => 2 * out[p] - 1);
  const context = canvas.getContext("2d"), side = canvas.width;
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, side, side);
  const at = (x) => ((x - LOW) / (HIGH - LOW)) * side;
  for (const [x, y, label] of now.points) {
    context.beginPath();
    context.arc(at(x), side - at(y), 6, 0, 2 * Math.PI);
    context.fillStyle = label ? "#053a66" : "#8a4300";
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    context.stroke();
  }
  let right = 0;
  if (now.points.length) {
    const key = `${now.chosen.widths.length} ${now.chosen.activation}`, sizes = {...now.predict.sizes, N: now.points.length};
    const guesses = MAKERS[key].predict(sizes)(now.X, ...now.parameters);
    right = now.points.filter((point, k) => (guesses[k] > 0.5) === (point[2] > 0.5)).length;
  }
  $("accuracy").textContent = say(`${right} of ${now.points.length} points right`, `${now.points.length} 個點中有 ${right} 個正確`);
  canvas.setAttribute("aria-label", say("the points, and what the network predicts for each place of the plane", "所有的點，以及 network 對平面上每一處的 prediction"));
}

function drawNeurons() {
  for (const canvas of document.querySelectorAll("#neurons canvas")) {
    const k = Number(canvas.dataset.layer), width = now.widths[k], unit = Number(canvas.dataset.unit);
    const values = now.predict.memory[`a${k}`] ?? now.predict.memory[`z${k}`] ?? null;
    if (values === null) continue;
    let most = 1e-12;
    for (let p = unit; p < values.length; p += width) most = Math.max(most, Math.abs(values[p]));
    const middle = now.chosen.activation === "sigmoid" ? 0.5 : 0, scale = middle ? 0.5 : most;
    paint(canvas, GRID, GRID, (p) => (values[p * width + unit] - middle) / scale);
  }
}

const lowered = (name) => name.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
const largest = (array) => array.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
function drawHeat(canvas, array, rows, columns) {
  const most = largest(array) || 1;
  paint(canvas, columns, rows, (p) => array[p] / most);
}
const short = (x) => (Number.isFinite(x) ? Number(x).toPrecision(4).replace("-", "−") : String(x));
const range = (array) => `${short(array.reduce((a, b) => Math.min(a, b), Infinity))} … ${short(array.reduce((a, b) => Math.max(a, b), -Infinity))}`;

function drawHeats() {
  for (const canvas of document.querySelectorAll("#heats canvas")) {
    const k = Number(canvas.dataset.parameter), layer = k >> 1;
    const values = canvas.dataset.gradient ? now.step.memory[`d${now.program.parameters[k]}`] : now.parameters[k];
    const columns = now.widths[layer + 1];
    drawHeat(canvas, values, k % 2 ? 1 : now.widths[layer], columns);
    const said = canvas.dataset.gradient && !now.epoch ? "–" : range(values); // (no gradient before the first epoch)
    canvas.nextElementSibling.textContent = `${canvas.dataset.gradient ? "∂L/∂" : ""}${lowered(now.program.parameters[k])}: ${said}`;
  }
}

function drawEquations() {
  for (const row of document.querySelectorAll("#equations tr")) {
    const name = row.dataset.name, canvas = row.querySelector("canvas"), cell = row.querySelector(".range");
    if (name === "L") cell.textContent = short(now.loss);
    const values = now.step.memory[name];
    if (values === undefined) continue;
    const columns = Math.max(1, Math.min(values.length, Number(row.dataset.columns) || 1));
    drawHeat(canvas, values, Math.max(1, Math.round(values.length / columns)), columns);
    cell.textContent = now.epoch ? range(values) : "";
  }
}

function printed() {
  const {widths, activation, data, seed} = now.chosen, same = widths.join() === "10,10" && activation === "sigmoid" && seed === 2023;
  return (same && PRINTED[`${data} ${Number($("rate").value)}`]) || {};
}

function drawCurve() {
  const canvas = $("curve"), context = canvas.getContext("2d"), {width, height} = canvas;
  const rings = Object.entries(printed()).map(([epoch, loss]) => [Number(epoch), loss]);
  const seen = now.losses.filter(([, loss]) => Number.isFinite(loss) && loss > 0);
  const all = [...seen, ...rings], last = Math.max(10, now.epoch);
  const lows = all.map(([, loss]) => Math.log10(loss));
  const low = Math.floor(Math.min(-1, ...lows)), high = Math.ceil(Math.max(0, ...lows));
  const x = (epoch) => 46 + ((width - 56) * epoch) / last, y = (loss) => 10 + ((height - 36) * (high - Math.log10(loss))) / (high - low);
  context.clearRect(0, 0, width, height);
  context.font = "13px system-ui, sans-serif";
  context.fillStyle = css("--soft");
  context.strokeStyle = css("--line");
  context.lineWidth = 1;
  for (let e = low; e <= high; e += Math.max(1, Math.round((high - low) / 6))) {
    context.beginPath();
    context.moveTo(46, y(10 ** e));
    context.lineTo(width - 10, y(10 ** e));
    context.stroke();
    context.fillText(`1e${e}`.replace("-", "−"), 4, y(10 ** e) + 4);
  }
  context.fillText(`epoch ${last}`, width - 90, height - 6);
  context.fillText("loss", 46, height - 6);
  context.strokeStyle = css("--accent");
  context.lineWidth = 2;
  context.beginPath();
  seen.forEach(([epoch, loss], k) => context[k ? "lineTo" : "moveTo"](x(epoch), y(loss)));
  context.stroke();
  for (const [epoch, loss] of rings.filter(([epoch]) => epoch <= last)) {
    context.beginPath();
    context.arc(x(epoch), y(loss), 5, 0, 2 * Math.PI);
    context.strokeStyle = css("--fore");
    context.lineWidth = 1.5;
    context.stroke();
  }
  const passed = rings.filter(([epoch]) => now.reached?.[epoch] !== undefined);
  const worst = passed.reduce((most, [epoch, loss]) => Math.max(most, Math.abs(now.reached[epoch] - loss)), 0);
  canvas.setAttribute("aria-label", say("the loss over the epochs", "各個 epoch 的 loss"));
  $("printed").textContent = !rings.length ? "" : passed.length ? say(
    `○ losses that the report printed, up to here ${passed.length}: the largest difference is ${worst.toExponential(1)}`,
    `○ 到這裡為止報告印出的 ${passed.length} 個 loss：最大的差是 ${worst.toExponential(1)}`,
  ) : say("○ the losses that the report printed, every 5000 epochs", "○ 報告每 5000 個 epoch 印出的 loss");
}

function draw() {
  drawPlane();
  drawNeurons();
  drawHeats();
  drawEquations();
  drawCurve();
  $("state").textContent = `epoch ${now.epoch}, loss ${now.epoch ? now.loss : "–"}`;
  const overflow = now.epoch > 0 && !Number.isFinite(now.loss);
  $("warning").textContent = overflow ? say("The loss has overflowed: this rate of learning is too large.", "loss 已經 overflow：這個 learning rate 太大。") : "";
}

// The parts of the page that depend on the network's shape
function layOut() {
  $("neurons").replaceChildren(...now.widths.slice(1, -1).map((width, k) => {
    const layer = document.createElement("div");
    layer.className = "layer";
    for (let unit = 0; unit < width; unit++) {
      const canvas = document.createElement("canvas");
      Object.assign(canvas.dataset, {layer: k + 1, unit});
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", say(`what unit ${unit + 1} of layer ${k + 1} makes of the plane`, `第 ${k + 1} 層第 ${unit + 1} 個 unit 眼中的平面`));
      layer.append(canvas);
    }
    return layer;
  }));
  $("heats").replaceChildren(...now.program.parameters.flatMap((name, k) => ["", "yes"].map((gradient) => {
    const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
    canvas.dataset.parameter = k;
    if (gradient) canvas.dataset.gradient = gradient;
    canvas.style.width = `${Math.min(160, 14 * now.widths[(k >> 1) + 1])}px`;
    canvas.style.height = `${k % 2 ? 14 : Math.min(160, 14 * now.widths[k >> 1])}px`;
    figure.append(canvas, caption);
    return figure;
  })));
  const columnsOf = (name) => {
    const k = Number(name.match(/\d+$/)?.[0] ?? now.widths.length - 1);
    return now.widths[k] ?? 1;
  };
  $("equations").replaceChildren(...now.program.equations.map(({mathml, name}) => {
    const row = document.createElement("tr"), formula = document.createElement("td"), heat = document.createElement("td"), cell = document.createElement("td");
    Object.assign(row.dataset, {name, columns: columnsOf(name)});
    formula.innerHTML = mathml;
    cell.className = "range";
    if (name !== "L") {
      const canvas = document.createElement("canvas");
      canvas.style.cssText = "width: 90px; height: 42px";
      heat.append(canvas);
    }
    row.append(formula, heat, cell);
    return row;
  }));
}

// Playing
function frame() {
  if (!now.playing) return;
  const speed = $("speed").value, end = performance.now() + 12;
  if (speed === "most") while (performance.now() < end) advance(20);
  else advance(Number(speed));
  draw();
  requestAnimationFrame(frame);
}
function advance(epochs) { // in pieces that end at the epochs which the report prints
  while (epochs > 0) {
    const some = Math.min(epochs, 5000 - (now.epoch % 5000));
    train(some);
    if (now.epoch % 5000 === 0) (now.reached ??= {})[now.epoch] = now.loss;
    epochs -= some;
  }
  return now.loss;
}
function play(playing) {
  now.playing = playing;
  $("play").textContent = playing ? say("Pause", "暫停") : say("Play", "播放");
  if (playing) requestAnimationFrame(frame);
}
function restart(points) {
  play(false);
  now.reached = undefined;
  reset(points);
}

$("play").addEventListener("click", () => play(!now.playing));
$("step").addEventListener("click", () => { play(false); advance(1); draw(); });
$("reset").addEventListener("click", () => restart());
for (const id of ["data", "widths", "activation", "seed"]) $(id).addEventListener("change", () => restart());
$("rate").addEventListener("change", draw);
$("plane").addEventListener("click", (event) => {
  const box = $("plane").getBoundingClientRect();
  const x = LOW + ((HIGH - LOW) * (event.clientX - box.left)) / box.width, y = HIGH - ((HIGH - LOW) * (event.clientY - box.top)) / box.height;
  const points = $("data").value === "by hand" ? now.points : [];
  $("data").value = "by hand";
  restart([...points, [x, y, Number($("label").value)]]);
});
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { makeShades(); draw(); });

// English or Chinese: as the switch says; at first as the address says, or the browser
function speak() {
  document.documentElement.lang = document.querySelector("#languages input:checked").value;
  for (const option of document.querySelectorAll("option")) option.textContent = say(option.dataset.en, option.dataset.zh);
  $("play").textContent = now.playing ? say("Pause", "暫停") : say("Play", "播放");
  layOut();
  draw();
}
function asked() {
  const language = location.hash.slice(1) || navigator.language;
  $(language.startsWith("zh") ? "zh" : "english").checked = true;
  speak();
}
for (const each of document.querySelectorAll("#languages input")) each.addEventListener("change", speak);
addEventListener("hashchange", asked);

makeShades();
reset();
asked();
window.playground = {now, advance, restart, draw, Random};
