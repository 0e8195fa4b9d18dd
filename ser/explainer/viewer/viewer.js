// Show one clip at a time: play it, overlay what an explainer found, filter the list. The page itself holds all else.
"use strict";

const find = (what, where = document) => where.querySelector(what);
const shared = JSON.parse(find("#shared").textContent);
const rows = () => [...document.querySelectorAll("#list tr[data-clip]")]; // in the order in which they are sorted
const shownRows = () => rows().filter((row) => !row.classList.contains("out"));
const WIDTH = 1000, HEIGHT = 240, NUDGE = 0.1;

// What is open: the clip's article, its data and audio, the chosen explainer, and the stretches still to be played.
const open = { article: null, data: null, audio: null, method: "", values: null, queue: [] };

// ---- parts that move from clip to clip ----

function make(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const tools = find("#tools").content.firstElementChild;
const parts = {
  play: find(".play", tools), regions: find(".regions", tools), time: find(".time", tools),
  method: find(".method", tools), opacity: find(".opacity", tools),
  canvas: make("canvas", "overlay", { width: WIDTH, height: HEIGHT, role: "img" }),
  curve: make("div", "row chosen-curve"),
  veil: make("div", "veil", { role: "slider", tabindex: "0", "aria-label": "Position", "aria-valuemin": "0" }),
  lanes: make("div", "veil"),
  readout: make("p", "readout"),
  said: make("p", "hidden", { role: "status" }),
};
const curveLabel = make("span", "label"), curvePanel = make("div", "panel");
const scaleText = make("span", "key"), pointText = make("span", "point");
parts.curve.append(curveLabel, curvePanel);
parts.readout.append(scaleText, pointText);
document.body.append(parts.said);

// ---- time and frequency ----

const toMel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
const toHertz = (mel) => 700 * (10 ** (mel / 2595) - 1);
const secondAt = (share) => open.data.start + share * open.data.seconds;
const hertzAt = (share) => toHertz((1 - share) * toMel(shared.top));
const now = () => open.audio.currentTime + open.data.start;

// Which cell each of `count` places lies in, -1 where there is none; `edges` rise.
function locate(edges, count, valueAt) {
  return Array.from({ length: count }, (_, place) => {
    const value = valueAt((place + 0.5) / count);
    if (value < edges[0] || value >= edges[edges.length - 1]) return -1;
    let low = 0, high = edges.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (edges[middle] <= value) low = middle; else high = middle;
    }
    return low;
  });
}

// ---- the overlay ----

function decodeMap(map) {
  const codes = Int8Array.from(atob(map.data), (letter) => letter.charCodeAt(0));
  return Float32Array.from(codes, (code) => map.scale * Math.sign(code) * (code / 127) ** 2);
}

function readColour(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return text.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
}

function paintMap() {
  const context = parts.canvas.getContext("2d");
  context.clearRect(0, 0, WIDTH, HEIGHT);
  const map = open.data.maps[open.method];
  open.values = map ? decodeMap(map) : null;
  parts.canvas.setAttribute("aria-label", map ? `Overlay of ${open.method}` : "No overlay");
  if (!map) return;
  const picture = context.createImageData(WIDTH, HEIGHT);
  const columns = locate(map.times, WIDTH, secondAt), frames = map.times.length - 1;
  const bands = map.freqs ? locate(map.freqs, HEIGHT, hertzAt) : new Array(HEIGHT).fill(0);
  const colours = [readColour("--against"), readColour("--for")];
  for (let y = 0, at = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++, at += 4) {
      if (columns[x] < 0 || bands[y] < 0) continue;
      const value = open.values[bands[y] * frames + columns[x]];
      picture.data.set(colours[value > 0 ? 1 : 0], at);
      picture.data[at + 3] = 255 * Math.min(1, Math.abs(value) / map.full);
    }
  }
  context.putImageData(picture, 0, 0);
}

function findLane(method) {
  return [...open.article.querySelectorAll(".lane")].find((lane) => lane.dataset.method === method);
}

function showBands() {
  for (const old of parts.veil.querySelectorAll(".band")) old.remove();
  for (const [first, last] of open.data.regions[open.method] || []) {
    const band = make("div", "band", { title: `salient: ${first.toFixed(2)}–${last.toFixed(2)} s` });
    band.style.left = `${((first - open.data.start) / open.data.seconds) * 100}%`;
    band.style.width = `${((last - first) / open.data.seconds) * 100}%`;
    parts.veil.append(band);
  }
}

function showScale() {
  const map = open.data.maps[open.method], absence = find(".absence", findLane(open.method));
  scaleText.replaceChildren();
  scaleText.classList.toggle("absence", !map);
  if (!map) {
    scaleText.textContent = `${open.method} is not drawn: ${absence ? absence.textContent : "no map"}`;
    return;
  }
  const target = open.data.targets[open.method];
  const note = map.pooled ? ", neighbouring cells added up" : "";
  const full = `full colour ±${map.full.toPrecision(2)} a cell${note}`;
  scaleText.append(`against ${target}`, make("span", "scale"), `for ${target} · ${full}`);
}

function chooseMethod(method) {
  if (!shared.methods.includes(method)) return;
  open.method = method;
  stopQueue();
  parts.method.value = method;
  for (const each of open.article.querySelectorAll("[data-method]")) {
    each.classList.toggle("open", each.dataset.method === method);
  }
  const lane = findLane(method), curve = find("svg", lane);
  curveLabel.replaceChildren(make("b", ""), make("br", ""), "over time");
  curveLabel.firstChild.append(...find(".label", lane).cloneNode(true).childNodes);
  curvePanel.replaceChildren(...(curve ? [curve.cloneNode(true)] : []));
  parts.regions.disabled = !(open.data.regions[method] || []).length;
  paintMap();
  showBands();
  showScale();
  remember();
}

// ---- the clip ----

function readData(article) {
  const data = JSON.parse(find(".data", article).textContent);
  for (const map of Object.values(data.maps)) {
    map.times = data.axes[map.times];
    map.freqs = map.freqs === null ? null : data.axes[map.freqs];
  }
  return data;
}

function openClip(row) {
  const article = document.getElementById(row.dataset.clip);
  if (article === open.article) return;
  if (open.audio) open.audio.pause();
  for (const each of document.querySelectorAll("#list tr.open, article.open")) each.classList.remove("open");
  for (const each of document.querySelectorAll("#list [aria-current]")) each.removeAttribute("aria-current");
  row.classList.add("open");
  article.classList.add("open");
  find("button", row).setAttribute("aria-current", "true");
  open.article = article;
  open.data = readData(article);
  open.audio = find("audio", article);
  open.audio.preload = "auto";
  const spectrum = find(".spectrum", article), plot = find(".plot", article);
  find(".tools-here", article).append(tools);
  find(".panel", spectrum).append(parts.canvas);
  spectrum.after(parts.curve);
  plot.append(parts.veil);
  plot.after(parts.readout);
  find(".lanes", article).append(parts.lanes);
  parts.veil.setAttribute("aria-valuemax", open.data.seconds.toFixed(2));
  for (const option of parts.method.options) {
    option.textContent = option.value + (option.value in open.data.maps ? "" : " – not drawn");
  }
  chooseMethod(open.method || shared.methods.find((name) => name in open.data.maps) || shared.methods[0]);
  pointText.textContent = "";
  scrollTo(row);
  showTime();
  showState();
  remember();
  parts.said.textContent = `${open.data.clip}, ${find(".verdict", article).textContent}`;
}

function scrollTo(row) {
  const list = find("#list"), head = find("thead", list).offsetHeight;
  const top = row.offsetTop - head, bottom = row.offsetTop + row.offsetHeight - list.clientHeight;
  if (list.scrollTop > top) list.scrollTop = top;
  if (list.scrollTop < bottom) list.scrollTop = bottom;
}

function stepClip(by) {
  const shown = shownRows(), at = shown.findIndex((row) => row.classList.contains("open"));
  const row = shown[Math.max(0, Math.min(shown.length - 1, at + by))];
  if (!row) return;
  openClip(row);
  if (find("#list").contains(document.activeElement)) find("button", row).focus({ preventScroll: true });
}

function filterClips() {
  const wanted = [...new FormData(find("#filters"))].filter(([, value]) => value);
  for (const row of rows()) {
    const out = wanted.some(([name, value]) => row.dataset[name] !== value);
    row.classList.toggle("out", out);
    document.getElementById(row.dataset.clip).classList.toggle("out", out);
  }
  const shown = shownRows(), correct = shown.filter((row) => row.dataset.result === "correct").length;
  const clips = `${shown.length} clip${shown.length === 1 ? "" : "s"}`;
  find("#count").textContent = shown.length ? `${clips}, ${correct} correct` : "no clip is like that";
  if (shown.length && !shown.some((row) => row.classList.contains("open"))) openClip(shown[0]);
}

// ---- sound ----

function showTime() {
  const second = now(), share = Math.min(1, open.audio.currentTime / open.data.seconds);
  open.article.style.setProperty("--at", share);
  parts.time.textContent = `${second.toFixed(2)} s of ${open.data.start.toFixed(2)}–${secondAt(1).toFixed(2)} s`;
  parts.veil.setAttribute("aria-valuenow", open.audio.currentTime.toFixed(2));
  parts.veil.setAttribute("aria-valuetext", `${second.toFixed(2)} seconds`);
}

function showState() {
  parts.play.textContent = open.audio.paused ? "▶ Play" : "❚❚ Pause";
}

function followSound() {
  if (open.queue.length && now() >= open.queue[0][1]) {
    open.queue.shift();
    if (open.queue.length) seek(open.queue[0][0]); else open.audio.pause();
  }
  showTime();
  if (!open.audio.paused) requestAnimationFrame(followSound);
}

function seek(second) {
  const within = Math.max(0, Math.min(open.data.seconds, second - open.data.start));
  open.audio.currentTime = within;
  showTime();
}

function stopQueue() {
  if (open.queue.length) open.audio.pause();
  open.queue = [];
}

function startSound() {
  open.audio.play().catch(() => { parts.time.textContent = "this browser cannot play the clip"; });
}

function togglePlay() {
  open.queue = [];
  if (open.audio.paused) startSound(); else open.audio.pause();
}

function playRegions() {
  const spans = open.data.regions[open.method] || [];
  if (!spans.length) return;
  open.queue = spans.map((span) => [...span]).sort((a, b) => a[0] - b[0]);
  seek(open.queue[0][0]);
  startSound();
}

// ---- pointer and keys ----

function readPoint(event) {
  const box = parts.veil.getBoundingClientRect();
  const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  const picture = parts.canvas.getBoundingClientRect(), height = (event.clientY - picture.top) / picture.height;
  return { share, second: secondAt(share), hertz: height >= 0 && height < 1 ? hertzAt(height) : null };
}

function showPoint(event) {
  const { second, hertz } = readPoint(event), map = open.data.maps[open.method];
  const words = [`${second.toFixed(2)} s`];
  if (hertz !== null) {
    words.push(`${Math.round(hertz)} Hz`);
    const column = map ? locate(map.times, 1, () => second)[0] : -1;
    const band = map && map.freqs ? locate(map.freqs, 1, () => hertz)[0] : 0;
    if (column >= 0 && band >= 0) {
      const value = open.values[band * (map.times.length - 1) + column];
      words.push(`${open.method} ${value > 0 ? "+" : ""}${value.toPrecision(2)}`);
    }
  }
  pointText.textContent = words.join(" · ");
}

parts.veil.addEventListener("pointerdown", (event) => {
  parts.veil.setPointerCapture(event.pointerId);
  open.queue = [];
  seek(readPoint(event).second);
});
parts.veil.addEventListener("pointermove", (event) => {
  showPoint(event);
  if (parts.veil.hasPointerCapture(event.pointerId)) seek(readPoint(event).second);
});
parts.veil.addEventListener("pointerleave", () => { pointText.textContent = ""; });

function stepMethod(by) {
  chooseMethod(shared.methods[shared.methods.indexOf(open.method) + by]);
}

function fade(by) {
  parts.opacity.value = Number(parts.opacity.value) + by;
  parts.canvas.style.opacity = parts.opacity.value / 100;
}

const ACTIONS = {
  j: () => stepClip(1), ArrowDown: () => stepClip(1), k: () => stepClip(-1), ArrowUp: () => stepClip(-1),
  ArrowLeft: () => seek(now() - NUDGE), ArrowRight: () => seek(now() + NUDGE),
  " ": togglePlay, r: playRegions, "[": () => stepMethod(-1), "]": () => stepMethod(1),
  "-": () => fade(-10), "+": () => fade(10),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !open.article) return;
  const { tagName } = event.target;
  if (tagName === "SELECT" || (tagName === "INPUT" && event.key.startsWith("Arrow"))) return;
  const button = event.key === " " && event.target.closest("button, summary");
  const presses = button && !button.closest("#list td, .play"); // the browser does what the button is for
  const place = shared.keys.indexOf(event.key);
  const action = place >= 0 ? () => chooseMethod(shared.methods[place]) : ACTIONS[event.key];
  if (!action || presses) return;
  event.preventDefault();
  action();
});
// A space that played must not press the button in focus as well when it is let go.
document.addEventListener("keyup", (event) => {
  if (event.key === " " && event.target.closest("#list td button, .play")) event.preventDefault();
});

parts.play.addEventListener("click", togglePlay);
parts.regions.addEventListener("click", playRegions);
parts.method.addEventListener("change", () => chooseMethod(parts.method.value));
parts.opacity.addEventListener("input", () => fade(0));
find("#filters").addEventListener("change", filterClips);
find("#list tbody").addEventListener("click", (event) => openClip(event.target.closest("tr")));
for (const lane of document.querySelectorAll(".lane")) {
  lane.addEventListener("click", () => chooseMethod(lane.dataset.method));
}
for (const audio of document.querySelectorAll("audio")) {
  audio.addEventListener("play", () => { showState(); followSound(); });
  const show = () => { if (audio === open.audio) { showState(); showTime(); } };
  for (const name of ["pause", "seeked"]) audio.addEventListener(name, show);
}

// ---- the address: #clip=…&method=… ----

function remember() {
  const place = new URLSearchParams({ clip: open.data.clip, method: open.method || "" });
  history.replaceState(null, "", `#${place}`);
}

function followAddress() {
  const place = new URLSearchParams(location.hash.slice(1));
  if (shared.methods.includes(place.get("method"))) open.method = place.get("method");
  const row = rows().find((each) => each.dataset.name === place.get("clip")) || shownRows()[0];
  if (document.getElementById(row.dataset.clip) === open.article) chooseMethod(open.method); else openClip(row);
}

window.addEventListener("hashchange", followAddress);
fade(0);
followAddress();
