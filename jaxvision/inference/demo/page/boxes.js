// Suppression and drawing of boxes and classes. An object is [class, score, x1, y1, x2, y2] in pixels of the
// picture.

function iou(a, b) {
  const width = Math.min(a[4], b[4]) - Math.max(a[2], b[2]);
  const height = Math.min(a[5], b[5]) - Math.max(a[3], b[3]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  const area = (box) => (box[4] - box[2]) * (box[5] - box[3]);
  return shared / (area(a) + area(b) - shared);
}

// Keeps each object that no better kept one overlaps by more than `limit`, as the library does.
// `objects` are sorted, best first.
export function suppressed(objects, threshold, limit, model) {
  const kept = [];
  for (const one of objects) {
    if (one[1] < threshold || kept.length === model.most) break;
    const rival = (better) => !model.class_aware || better[0] === one[0];
    if (!kept.some((better) => rival(better) && iou(better, one) > limit)) kept.push(one);
  }
  return kept;
}

// Cuts boxes off at the edges of the picture; those in the border outside of it are dropped.
export function clipped(objects, width, height) {
  const inside = (x, side) => Math.min(Math.max(x, 0), side);
  return objects
    .map(([kind, score, x1, y1, x2, y2]) => [kind, score, inside(x1, width), inside(y1, height),
      inside(x2, width), inside(y2, height)])
    .filter((one) => one[4] > one[2] && one[5] > one[3]);
}

export function colour(model, kind) {
  return `rgb(${model.colours[kind % model.colours.length].join(" ")})`;
}

// Black or white, whichever is read better on a colour.
function ink(model, kind) {
  const [red, green, blue] = model.colours[kind % model.colours.length];
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#111" : "#fff";
}

// Draws a picture as wide as `room` allows, in CSS pixels, and the objects over it.
export function draw(canvas, picture, objects, model, room, chosen) {
  const scale = Math.min(room.width / picture.width, room.height / picture.height);
  const dots = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  canvas.width = Math.round(width * dots);
  canvas.height = Math.round(height * dots);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(dots, dots);
  pen.imageSmoothingEnabled = scale * dots < 3;
  pen.imageSmoothingQuality = "high";
  if (picture.bitmap) pen.drawImage(picture.bitmap, 0, 0, width, height);
  if (picture.overlay) {
    // Pixels of a class keep their edges.
    pen.imageSmoothingEnabled = false;
    pen.globalAlpha = picture.opacity;
    pen.drawImage(picture.overlay, 0, 0, width, height);
    pen.globalAlpha = 1;
  }
  // The best are drawn last, over the others.
  for (const one of [...objects].reverse()) box(pen, one, scale, model, one === chosen);
  for (const one of [...objects].reverse()) label(pen, one, scale, model, width);
}

function box(pen, [kind, , x1, y1, x2, y2], scale, model, chosen) {
  const place = [x1 * scale, y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale];
  if (chosen) {
    pen.fillStyle = "rgb(255 255 255 / 30%)";
    pen.fillRect(...place);
  }
  // A dark edge keeps the line visible on a background of its own colour.
  for (const [thickness, paint] of [[4, "rgb(24 24 27 / 80%)"], [2, colour(model, kind)]]) {
    pen.lineWidth = thickness;
    pen.strokeStyle = paint;
    pen.strokeRect(...place);
  }
}

function label(pen, [kind, score, x1, y1], scale, model, width) {
  const text = `${model.classes[kind]} ${score.toFixed(2)}`;
  pen.font = "600 12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const wide = pen.measureText(text).width + 8;
  const x = Math.max(0, Math.min(x1 * scale - 2, width - wide));
  const y = y1 * scale >= 18 ? y1 * scale - 18 : y1 * scale;
  pen.fillStyle = colour(model, kind);
  pen.fillRect(x, y, wide, 18);
  pen.fillStyle = ink(model, kind);
  pen.fillText(text, x + 4, y + 9.5);
}
