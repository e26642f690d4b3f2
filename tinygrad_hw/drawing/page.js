"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const boxes = data.boxes.map((_, i) => byId("n" + i));
const arrows = Array.from({ length: data.arrows }, (_, i) => byId("e" + i));
const last = data.steps.length - 1;
let now = 0;

// Write lines as a list of terms: what it is, its formula, its entries. Only formulas are markup, and MathML alone.
function write(list, lines) {
  list.replaceChildren();
  for (const [what, formula, value, mathml] of lines) {
    const term = document.createElement("dt");
    term.textContent = what;
    list.append(term);
    const add = (inner, kind) => {
      const definition = document.createElement("dd");
      definition.className = kind;
      definition.append(inner);
      list.append(definition);
    };
    const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
    if (mathml) add(document.importNode(new DOMParser().parseFromString(mathml, "text/html").querySelector("math"), true), "math");
    else if (formula) add(element("span", formula), "formula");
    if (value) add(element("pre", value), "value");
  }
}

function mark(elements, name, chosen) {
  elements.forEach((element, i) => element && element.classList.toggle(name, chosen.has(i)));
}

// Show a step: its words in the panel, what it is about in the picture, its number in the address.
function show(step) {
  now = Math.min(Math.max(step, 0), last);
  const { phase, title, box, touched, arrows: along, lines } = data.steps[now];
  byId("title").textContent = title;
  write(byId("lines"), lines);
  byId("side").scrollTop = 0;
  byId("slider").value = now;
  byId("slider").setAttribute("aria-valuetext", "step " + now + " of " + last + ", " + title);
  byId("count").textContent = "step " + now + " of " + last;
  for (const id of ["first", "back"]) byId(id).disabled = now === 0;
  for (const id of ["next", "last"]) byId(id).disabled = now === last;
  const known = new Set(data.steps.slice(0, now + 1).flatMap((s) => (s.phase === "backward" ? [] : s.touched)));
  mark(boxes, "waiting", new Set(boxes.keys().filter((i) => !known.has(i))));
  mark(arrows, "waiting", new Set(data.heads.keys().filter((i) => !known.has(data.heads[i]))));
  mark(boxes, "touched", new Set(phase === "backward" ? touched : []));
  mark(boxes, "active", new Set(box === null ? [] : [box]));
  mark(arrows, "active", new Set(along));
  if (box !== null && boxes[box]) boxes[box].scrollIntoView({ block: "center", inline: "nearest" });
  if (location.hash !== "#step=" + now) history.replaceState(null, "", "#step=" + now);
}

// Show all that is known of one box.
function choose(i) {
  mark(boxes, "chosen", new Set([i]));
  byId("box-title").textContent = data.boxes[i].name;
  write(byId("box-lines"), data.boxes[i].lines);
}

function fromAddress() {
  const asked = /^#step=(\d+)$/.exec(location.hash);
  show(asked ? Number(asked[1]) : 0);
}

boxes.forEach((box, i) => {
  if (!box) return;
  box.addEventListener("click", () => choose(i));
  box.addEventListener("focus", () => choose(i));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(i);
    }
  });
});

// A wide picture shrinks to its frame, but not so far that it cannot be read.
const svg = document.querySelector("#picture svg");
if (svg) svg.style.minWidth = 0.6 * svg.width.baseVal.value + "px";

if (last > 0) {
  const backward = data.steps.findIndex((step) => step.phase === "backward");
  const moves = {
    ArrowRight: () => now + 1, ArrowLeft: () => now - 1, Home: () => 0, End: () => last, f: () => Math.min(1, last), b: () => (backward < 0 ? now : backward),
  };
  document.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(move());
  });
  const press = (id, to) => byId(id).addEventListener("click", () => show(to()));
  press("first", () => 0);
  press("back", () => now - 1);
  press("next", () => now + 1);
  press("last", () => last);
  byId("slider").addEventListener("input", (event) => show(Number(event.target.value)));
  addEventListener("hashchange", fromAddress);
  fromAddress();
}
