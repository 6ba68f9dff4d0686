// The page: sends pictures or text to the server, and shows what it answers.

import { clipped, colour, draw, suppressed } from "./boxes.js";

const part = (id) => document.getElementById(id);
const stage = part("stage");
const canvas = part("canvas");

let model = null;
// What is shown: {width, height, bitmap, answer, overlay}; bitmap is null where the browser cannot
// show it, and overlay the colours of a segmenter's classes.
let shown = null;
let chosen = null;
// The newest request; older answers are dropped.
let newest = 0;
let stream = null;

async function start() {
  model = await (await fetch("model")).json();
  document.title = `${model.name} · jaxvision demo`;
  part("name").textContent = model.name;
  const about = [model.kind];
  if (model.classes?.length) about.push(`${model.classes.length} classes`);
  if (model.step !== null) about.push(`step ${model.step.toLocaleString("en")}`);
  part("about").textContent = about.join(" · ");
  if (model.action) return startText();
  part("pictures").hidden = false;
  if (model.kind === "detector") startSliders();
  if (model.kind === "segmenter" || model.kind === "upscaler") startBlending();
  startInputs();
}

function startSliders() {
  part("sliders").hidden = false;
  part("score").min = model.floor;
  part("score").value = model.threshold;
  part("iou").value = model.iou;
  for (const id of ["score", "iou"]) part(id).addEventListener("input", show);
  showValues();
}

function startBlending() {
  part("blending").hidden = false;
  if (model.kind === "upscaler") {
    part("what-blends").textContent = "Enlarged by the network";
    part("opacity").value = 1;
  }
  part("opacity").addEventListener("input", show);
  showValues();
}

function showValues() {
  for (const id of ["score", "iou", "opacity"]) {
    part(`${id}-value`).textContent = Number(part(id).value).toFixed(2);
  }
}

function startInputs() {
  part("choose").addEventListener("click", () => part("file").click());
  for (const id of ["file", "photo"]) {
    part(id).addEventListener("change", (event) => {
      if (event.target.files.length) take(event.target.files[0]);
      event.target.value = "";
    });
  }
  part("camera").addEventListener("click", () => (stream ? stopCamera() : startCamera()));
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      stage.classList.toggle("over", name === "dragover");
    });
  }
  document.addEventListener("drop", (event) => takeFirst(event.dataTransfer.files));
  document.addEventListener("paste", (event) => takeFirst(event.clipboardData.files));
  window.addEventListener("resize", show);
}

function takeFirst(files) {
  if (files.length) take(files[0]);
}

// Shows a file and asks for what is in it.
async function take(file) {
  stopCamera();
  if (!file.type.startsWith("image/")) return say(`${file.name} is not a picture`, true);
  const bitmap = await createImageBitmap(file).catch(() => null);
  await predict(file, bitmap);
}

// Returns whether an answer came; a picture is shown at once, its objects when they are known.
async function predict(file, bitmap, live = false) {
  const own = ++newest;
  if (file.size > model.limit) {
    say(`The picture has ${megabytes(file.size)}, more than ${megabytes(model.limit)}`, true);
    return false;
  }
  if (!live) {
    if (bitmap) shown = { width: bitmap.width, height: bitmap.height, bitmap, answer: null };
    show();
    say("Predicting …");
  }
  const answer = await ask(file, file.type);
  if (own !== newest) return false;
  if (answer.error) {
    say(answer.error, true);
    return false;
  }
  const overlay = answer.overlay ? await picture(answer.overlay) : null;
  if (own !== newest) return false;
  shown = { width: answer.width, height: answer.height, bitmap, answer, overlay };
  show();
  return true;
}

async function picture(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toPrecision(3)} MB`;
}

async function ask(body, type) {
  try {
    const reply = await fetch("predict", { method: "POST", body, headers: { "Content-Type": type } });
    return await reply.json();
  } catch {
    return { error: "The server does not answer; was it ended?" };
  }
}

function say(text, wrong = false) {
  for (const id of ["status", "text-status"]) {
    part(id).textContent = text;
    part(id).classList.toggle("error", wrong);
  }
}

// Draws what is known; a slider needs no more than this.
function show() {
  if (model.kind !== "classifier") showValues();
  if (!shown) return;
  shown.opacity = Number(part("opacity").value);
  const { answer } = shown;
  let objects = [];
  if (answer && model.kind === "detector") {
    const kept = suppressed(answer.objects, Number(part("score").value),
      Number(part("iou").value), model);
    objects = clipped(kept, shown.width, shown.height);
  }
  stage.classList.add("full");
  part("hint").hidden = true;
  canvas.hidden = false;
  const room = { width: stage.clientWidth, height: Math.max(240, window.innerHeight * 0.75) };
  const paint = () => draw(canvas, shown, objects, model, room, chosen);
  paint();
  part("found").replaceChildren();
  if (!answer) return;
  const rows = model.kind === "detector"
    ? objects.map((one) => objectRow(one, paint)) : classRows(answer);
  part("found").replaceChildren(...rows);
  const what = model.kind === "detector" ? counted(objects) : answer.names.join(", ") || "no class";
  canvas.setAttribute("aria-label", what);
  const unseen = shown.bitmap ? "" : " · this browser cannot show this format";
  say(`${what} · ${answer.seconds.toFixed(2)} s${unseen}`);
}

function counted(objects) {
  const counts = new Map();
  for (const [kind] of objects) counts.set(kind, (counts.get(kind) || 0) + 1);
  if (counts.size) {
    return [...counts].map(([kind, count]) => `${count} ${model.classes[kind]}`).join(", ");
  }
  const best = shown.answer.objects[0];
  return best ? `nothing above this score; the best has ${best[1].toFixed(2)}` : "nothing found";
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function objectRow(one, paint) {
  const row = element("li", "");
  const dot = element("span", "dot");
  dot.style.background = colour(model, one[0]);
  row.append(dot, element("span", "label", model.classes[one[0]]),
    element("span", "value", one[1].toFixed(2)));
  // The object under the pointer is marked in the picture.
  for (const [name, marked] of [["pointerenter", one], ["pointerleave", null]]) {
    row.addEventListener(name, () => {
      chosen = marked;
      row.classList.toggle("shown", marked !== null);
      paint();
    });
  }
  return row;
}

function classRows(answer) {
  return answer.classes.map(([name, share]) => classRow(name, share, answer.names));
}

function classRow(name, probability, names) {
  const row = element("li", names.includes(name) ? "chosen" : "");
  const bar = element("span", "bar");
  const filled = element("span", "");
  filled.style.width = `${100 * Math.max(0, probability)}%`;
  bar.append(filled);
  const dot = element("span", "dot");
  if (model.colours) dot.style.background = colour(model, model.classes.indexOf(name));
  row.append(...(model.colours ? [dot] : []), element("span", "label", name),
    ...(model.colours ? [] : [element("span", "")]),
    element("span", "value", amount(probability)), bar);
  return row;
}

// A share in percent, or a cosine.
function amount(value) {
  return model.kind === "word vectors" ? value.toFixed(2) : `${(100 * value).toFixed(1)}%`;
}

// A browser gives its camera only to pages of this machine or of https; a telephone that opened
// the page over a network takes a photo instead.
async function startCamera() {
  if (!navigator.mediaDevices) return part("photo").click();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    return say(`The camera cannot be used: ${error.message}`, true);
  }
  part("camera").textContent = "Stop the camera";
  const own = stream;
  const video = document.createElement("video");
  Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
  await video.play();
  // One frame after another, as fast as the model answers.
  while (stream === own) {
    const bitmap = await createImageBitmap(video);
    if (!(await predict(await encoded(bitmap), bitmap, true))) break;
  }
  if (stream === own) stopCamera();
}

function stopCamera() {
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  stream = null;
  part("camera").textContent = "Camera";
}

function encoded(bitmap) {
  const sheet = new OffscreenCanvas(bitmap.width, bitmap.height);
  sheet.getContext("2d").drawImage(bitmap, 0, 0);
  return sheet.convertToBlob({ type: "image/jpeg", quality: 0.95 });
}

function startText() {
  part("text").hidden = false;
  part("label").textContent = model.label;
  part("action").textContent = model.action;
  part("heading").textContent = model.heading;
  part("source").hidden = !model.label;
  part("source").focus();
  part("form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  part("source").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
  });
}

async function send() {
  const own = ++newest;
  say("Predicting …");
  const answer = await ask(JSON.stringify({ text: part("source").value }), "application/json");
  if (own !== newest) return;
  if (answer.error) return say(answer.error, true);
  part("lines").textContent = (answer.lines || []).join("\n");
  part("lines").hidden = !answer.lines;
  part("ranked").replaceChildren(...(answer.classes ? classRows(answer) : []));
  part("samples").hidden = !answer.picture;
  if (answer.picture) Object.assign(part("samples"), { src: answer.picture, alt: answer.names[0] });
  say(`${answer.seconds.toFixed(2)} s`);
}

start().catch(() => {
  part("about").textContent = "The server does not answer; was it ended?";
});
