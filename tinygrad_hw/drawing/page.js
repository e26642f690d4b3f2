"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const element = (tag, props = {}, ...inner) => {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...inner);
  return made;
};
// What an English sentence is called in the page's language, with pieces in its gaps.
const say = (english, ...pieces) => {
  let i = 0;
  return (data.words[english] ?? english).replace(/\{(\d*)\}/g, (_, k) => pieces[k === "" ? i++ : k]);
};
const views = data.views.map((view, k) => ({
  ...view, at: 0, root: byId("v" + k),
  nodes: view.boxes.map((_, i) => byId((k ? "v" + k : "") + "n" + i)),
  arrows: view.heads.map((_, i) => byId((k ? "v" + k : "") + "e" + i)),
}));
let view = views[0];
let arrays = data.arrays; // [figures, a few words, shape and range, heat map] of each slot
const frame = byId("picture");
let chosen = null;
let zoom = 0; // 0: as wide as the frame
const revealed = new Set();
const stepping = () => view.steps.length > 1;
const last = () => view.steps.length - 1;

// What a list shows: each line is what it is, a formula, and an array. Only formulas are markup, and MathML alone.
function write(list, lines, closed = false) {
  list.replaceChildren();
  for (const [what, formula, slot, mathml, hidden] of lines) {
    list.append(element("dt", { textContent: what }));
    const add = (inner, kind) => list.append(element("dd", { className: kind }, inner));
    if (closed && hidden) {
      add(say("guess first"), "guess");
      continue;
    }
    if (mathml) add(document.importNode(new DOMParser().parseFromString(mathml, "text/html").querySelector("math"), true), "math");
    else if (formula) add(element("span", { textContent: formula }), "formula");
    if (slot === null) continue;
    const [figures, , words, heat] = arrays[slot];
    if (figures) add(element("pre", { textContent: figures }), "value");
    if (heat) add(heatMap(heat, words), "heat");
    if (heat || !figures) add(words, "range");
  }
}

// A picture of an array: blue above zero, orange below, the deeper the farther; grey for what is no finite number.
function heatMap([rows, columns, levels], words) {
  const canvas = element("canvas", { width: columns, height: rows });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", say("heat map, {}", words));
  const size = Math.min(14, 320 / columns, 140 / rows);
  canvas.style.width = columns * size + "px";
  canvas.style.height = rows * size + "px";
  const context = canvas.getContext("2d");
  Array.from(atob(levels), (c) => c.charCodeAt(0)).forEach((level, i) => {
    const depth = Math.abs(level - 127) / 127;
    context.fillStyle = level === 255 ? "#8a8a8a" : level >= 127 ? `rgba(20, 110, 210, ${depth})` : `rgba(225, 95, 0, ${depth})`;
    context.fillRect(i % columns, Math.floor(i / columns), 1, 1);
  });
  return canvas;
}

const mark = (elements, name, which) => elements.forEach((each, i) => each && each.classList.toggle(name, which.has(i)));

// In a box of a single number stand its value and, once it is known, its gradient.
function writeFigures(known, done) {
  view.nodes.forEach((node, i) => {
    if (!node) return;
    for (const [what, there] of [["value", known], ["gradient", done]]) {
      const text = [...node.querySelectorAll("text")].find((t) => t.textContent.startsWith(what + " "));
      if (text && view.boxes[i][what] !== null) text.textContent = what + " " + (there.has(i) ? arrays[view.boxes[i][what]][1] : "?");
    }
  });
}

// Show a step: its words in the panel, what it is about in the picture, its number in the address.
function show(step) {
  if (!stepping()) return;
  view.at = Math.min(Math.max(step, 0), last());
  const now = view.at, here = view.steps[now], before = view.steps.slice(0, now + 1);
  byId("title").textContent = here.title;
  byId("sentence").textContent = here.sentence;
  const closed = byId("guess").checked && here.questions.length > 0 && !revealed.has(here);
  ask(closed ? here : null);
  write(byId("lines"), here.lines, closed);
  byId("side").scrollTop = 0;
  byId("slider").max = last();
  byId("slider").value = now;
  byId("slider").setAttribute("aria-valuetext", say("step {} of {}, {}", now, last(), here.title));
  byId("count").textContent = say("step {} of {}", now, last());
  for (const id of ["first", "back"]) byId(id).disabled = now === 0;
  for (const id of ["next", "last"]) byId(id).disabled = now === last();
  const backward = here.phase === "backward";
  const known = new Set(before.flatMap((s) => (s.phase === "backward" ? [] : s.complete)));
  const done = new Set(before.flatMap((s) => (s.phase === "backward" && !(closed && s === here) ? s.complete : [])));
  mark(view.nodes, "waiting", new Set(view.nodes.keys().filter((i) => !known.has(i))));
  mark(view.arrows, "waiting", new Set(view.heads.keys().filter((i) => !known.has(view.heads[i]))));
  mark(view.nodes, "touched", new Set(backward ? here.touched.filter((i) => !done.has(i)) : []));
  mark(view.nodes, "done", done);
  mark(view.nodes, "active", new Set(here.box === null ? [] : [here.box]));
  mark(view.arrows, "active", new Set(here.arrows));
  mark(view.arrows, "rising", new Set(backward ? here.arrows : []));
  mark(view.arrows, "passed", new Set(view.heads.keys().filter((i) => done.has(view.heads[i]))));
  byId("picture").classList.toggle("guessing", byId("guess").checked);
  writeFigures(known, done);
  writeCosts(before);
  if (chosen !== null) choose(chosen);
  const node = here.box === null ? null : view.nodes[here.box];
  if (node) centre(node);
  const place = (view === views[0] ? "#" : "#view=" + views.indexOf(view) + "&") + "step=" + now;
  const addressed = location.protocol !== "about:";  // (inside of another page, as a frame's own text, there is no address)
  if (addressed && location.hash !== place) history.replaceState(null, "", place);
}

// Scroll the picture, and not the page, so that a box is in the middle of its frame.
function centre(node) {
  const [inner, outer] = [node.getBoundingClientRect(), frame.getBoundingClientRect()];
  frame.scrollBy(inner.left + inner.width / 2 - outer.left - outer.width / 2, inner.top + inner.height / 2 - outer.top - outer.height / 2);
}

function writeCosts(before) {
  const cost = (steps, phase) => steps.reduce((sum, s) => sum + (s.phase === phase ? s.work : 0), 0);
  const whole = ["forward", "backward"].map((phase) => cost(view.steps, phase));
  const most = Math.max(...whole, 1);
  byId("costs").replaceChildren(...["forward", "backward"].map((phase, i) => {
    const bar = element("meter", { max: most, value: cost(before, phase) });
    const taken = (steps) => steps.filter((s) => s.phase === phase).length;
    const figures = [taken(before), taken(view.steps), ...[cost(before, phase), whole[i]].map((n) => n.toLocaleString("en"))];
    const words = say(phase + ": {} of {} steps, {} of {} operations on numbers", ...figures);
    bar.setAttribute("aria-label", words);
    return element("p", {}, words, bar);
  }));
  if (whole[0] && whole[1]) byId("costs").append(element("p", { textContent: say("Backward costs {} times forward.", (whole[1] / whole[0]).toFixed(1)) }));
}

// Guess, then reveal: pick what the operand gets, or type it where it is a number.
function ask(step) {
  const list = byId("questions");
  list.replaceChildren();
  if (!step) return;
  for (const question of step.questions) {
    const verdict = element("output", {});
    const judge = (right) => (verdict.textContent = say(right ? " right" : " not that"));
    const answers = question.answers.map((answer, i) => {
      const button = element("button", { type: "button", textContent: answer });
      button.addEventListener("click", () => judge(i === question.right));
      return button;
    });
    const fields = [];
    if (arrays[question.slot][3] === null && arrays[question.slot][0]) {
      const field = element("input", { type: "number", step: "any" });
      field.setAttribute("aria-label", say("{} As a number", question.about));
      const answer = Number(arrays[question.slot][0]);
      field.addEventListener("change", () => judge(Math.abs(Number(field.value) - answer) <= 0.01 * Math.abs(answer) + 1e-12));
      fields.push(element("label", {}, say(" or as a number, to 1 %: "), field));
    }
    list.append(element("p", {}, question.about + " ", ...answers, ...fields, verdict));
  }
  const reveal = element("button", { type: "button", id: "reveal", textContent: say("Reveal") });
  reveal.addEventListener("click", () => {
    revealed.add(step);
    show(view.at);
    byId("next").focus();
  });
  list.append(reveal);
}

// Show all that is known of one box; its gradient only when the steps have come so far.
function choose(i) {
  chosen = i;
  const box = view.boxes[i];
  mark(view.nodes, "chosen", new Set([i]));
  byId("box-title").textContent = box.name;
  const done = !stepping() || view.nodes[i] === null || view.nodes[i].classList.contains("done");
  write(byId("box-lines"), box.lines.filter((line) => done || !line[4]));
  byId("open").hidden = box.opens === null;
}

// Go into a module, or out of it.
function enter(k, step = views[k].at) {
  view.root.hidden = true;
  view = views[k];
  view.root.hidden = false;
  chosen = null;
  byId("box-title").textContent = say("Choose a box");
  byId("box-lines").replaceChildren();
  byId("open").hidden = true;
  byId("up").hidden = view.parent === null;
  byId("where").textContent = view.parent === null ? "" : view.title;
  resize(zoom);
  show(step);
}

function open() {
  if (chosen !== null && view.boxes[chosen].opens !== null) enter(view.boxes[chosen].opens);
}

function close() {
  if (view.parent !== null) enter(view.parent);
}

// A wide picture shrinks to its frame, but not so far that it cannot be read; a number makes it larger or smaller.
function resize(to) {
  zoom = to;
  const svg = view.root.querySelector("svg");
  if (!svg) return;
  const width = svg.viewBox.baseVal.width * 4 / 3;
  svg.style.minWidth = zoom ? "0" : 0.6 * width + "px";
  svg.style.maxWidth = zoom ? "none" : "100%";
  svg.style.width = zoom ? zoom * width + "px" : "";
}

function zoomBy(factor) {
  const svg = view.root.querySelector("svg");
  if (svg) resize(Math.min(Math.max(factor * svg.getBoundingClientRect().width / (svg.viewBox.baseVal.width * 4 / 3), 0.1), 5));
}

// Drag the picture; a finger scrolls it as any frame.
frame.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "mouse" || event.button) return;
  const move = (to) => frame.scrollBy(-to.movementX, -to.movementY);
  addEventListener("pointermove", move);
  addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
});
frame.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15);
}, { passive: false });

views.forEach((each) => each.nodes.forEach((node, i) => {
  if (!node) return;
  node.addEventListener("click", () => (chosen === i ? open() : choose(i)));
  node.addEventListener("focus", () => { if (node.matches(":focus-visible")) choose(i); });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(i);
    if (event.key === "Enter") open();
  });
}));

// Something that goes on by itself until it is stopped or there is no more.
function player(id, words, pause, advance) {
  let timer = null;
  const button = byId(id);
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = say(words);
    button.setAttribute("aria-pressed", "false");
  };
  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (!advance(true)) return;
    button.textContent = say("Pause");
    button.setAttribute("aria-pressed", "true");
    timer = setInterval(() => advance(false) || stop(), pause);
  });
}

function fromAddress() {
  const asked = /^#(?:view=(\d+)&)?step=(\d+)$/.exec(location.hash);
  const k = asked && asked[1] ? Math.min(Number(asked[1]), views.length - 1) : 0;
  enter(k, asked ? Number(asked[2]) : 0);
}

for (const [id, act] of [["smaller", () => zoomBy(1 / 1.25)], ["fit", () => resize(0)], ["larger", () => zoomBy(1.25)], ["up", close], ["open", open]]) {
  byId(id).addEventListener("click", act);
}
if (views.some((each) => each.steps.length > 1)) {
  const moves = {
    ArrowRight: () => show(view.at + 1), ArrowLeft: () => show(view.at - 1), Home: () => show(0), End: () => show(last()), f: () => show(1),
    b: () => show(Math.max(view.steps.findIndex((s) => s.phase === "backward"), 0) || view.at),
    p: () => byId("play").click(), g: () => byId("guess").click(),
    "+": () => zoomBy(1.25), "-": () => zoomBy(1 / 1.25), 0: () => resize(0), Escape: close,
  };
  document.addEventListener("keydown", (event) => {
    const own = event.target.closest("input, select") && event.target.id !== "slider" && event.target.id !== "guess";
    const move = moves[event.key];
    if (!move || own || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    move();
  });
  const press = (id, to) => byId(id).addEventListener("click", () => show(to()));
  press("first", () => 0);
  press("back", () => view.at - 1);
  press("next", () => view.at + 1);
  press("last", () => last());
  byId("slider").addEventListener("input", (event) => show(Number(event.target.value)));
  byId("guess").addEventListener("change", () => { revealed.clear(); show(view.at); });
  player("play", "Play", 1600, (first) => {
    if (view.at === last() && !first) return false;
    show(view.at === last() ? 0 : view.at + 1);
    return true;
  });
  addEventListener("hashchange", fromAddress);
  fromAddress();
} else {
  resize(0);
}

// A value that is changed: the compiler's program computes the graph again.
if (program) {
  const run = program();
  const figures = (x) => String(Number(x.toPrecision(6)));
  const given = data.inputs.map(([slot]) => Number(arrays[slot][0]));
  const again = () => {
    arrays = data.arrays.slice();
    run(...given).forEach((x, i) => (arrays[data.outputs[i]] = [figures(x), figures(x), "", null]));
    show(view.at);
  };
  data.inputs.forEach(([, name], i) => {
    const reach = Math.max(2 * Math.abs(given[i]), 2);
    const bar = element("input", { type: "range", min: -reach, max: reach, step: reach / 200, value: given[i] });
    const field = element("input", { type: "number", step: "any", value: given[i] });
    bar.setAttribute("aria-label", name);
    field.setAttribute("aria-label", say("{} as a number", name));
    for (const [from, to] of [[bar, field], [field, bar]]) {
      from.addEventListener("input", () => {
        if (!Number.isFinite(from.valueAsNumber)) return;
        to.value = given[i] = from.valueAsNumber;
        again();
      });
    }
    byId("values").append(element("label", {}, name + " ", bar, field));
  });
}

// The training again: each time of it has its own arrays.
if (data.epochs.length) {
  const losses = data.epochs.map((each) => Number(each.arrays[data.loss][1]));
  const finite = losses.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const x = (i) => 10 + (380 * i) / Math.max(losses.length - 1, 1);
  const y = (loss) => (Number.isFinite(loss) ? 70 - (60 * (loss - low)) / (high - low || 1) : 5);
  byId("curve").querySelector("polyline").setAttribute("points", losses.map((loss, i) => x(i) + "," + y(loss)).join(" "));
  const at = (i) => {
    const { epoch } = data.epochs[i];
    arrays = data.epochs[i].arrays;
    byId("epochs").value = i;
    const words = say("epoch {}, loss {}", epoch, losses[i]);
    byId("epochs").setAttribute("aria-valuetext", words);
    byId("epoch").textContent = words;
    const dot = byId("curve").querySelector("circle");
    dot.setAttribute("cx", x(i));
    dot.setAttribute("cy", y(losses[i]));
    show(view.at);
    if (!stepping() && chosen !== null) choose(chosen);
  };
  byId("epochs").addEventListener("input", (event) => at(Number(event.target.value)));
  player("train", "Play the training", 500, (first) => {
    const now = Number(byId("epochs").value);
    if (now === losses.length - 1 && !first) return false;
    at(now === losses.length - 1 ? 0 : now + 1);
    return true;
  });
  at(losses.length - 1);
}
