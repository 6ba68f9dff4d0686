"""The same augmentations the long way: resize, paste, warp, blend. Slow, and easy to check."""

import cv2
import numpy as np

from jaxvision.data.sample import Sample, image_objects
from jaxvision.data.source import Annotation, Source


class Pictures(Source):
    """A source of pictures held in memory, which counts what is read of it."""

    classes = ("a", "b", "c")

    def __init__(self, images, boxes, crowd=None):
        self.images = images
        self.boxes = [np.array(b, np.float32).reshape(-1, 4) for b in boxes]
        self.crowd = crowd or [np.zeros(len(b), bool) for b in self.boxes]
        self.max_objects = max(map(len, self.boxes))
        self.read = []

    def __len__(self):
        return len(self.images)

    def annotation(self, index):
        boxes = self.boxes[index]
        classes = np.full(len(boxes), index % 3, np.int32)
        objects = image_objects(boxes, classes, self.crowd[index], boxes[:, 0])
        return Annotation(*self.images[index].shape[:2], objects)

    def image(self, index, max_reduction=1):
        self.read.append((index, max_reduction))
        return self.images[index], 1

    def __getitem__(self, index):
        return Sample(self.images[index], index, self.annotation(index).objects)

    def name(self, index):
        return f"picture {index}"


def smooth(height, width, phase):
    """A picture without edges, whose colours tell the place."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(3 * x + phase), np.cos(4 * y - phase), np.sin(2 * x + 3 * y + 2 * phase)]
    return np.round(128 + 90 * np.stack(waves, axis=2)).astype(np.uint8)


def mosaic(source, index, rng, size, affine):
    """Draws what `Mosaic` draws, in the same order, and does it step by step."""
    height, width = size
    cy, cx = int(rng.uniform(0.5, 1.5) * height), int(rng.uniform(0.5, 1.5) * width)
    indices = [index, *rng.integers(0, len(source), 3).tolist()]
    matrix, _ = affine.draw(size, rng)
    canvas = np.full((2 * height, 2 * width, 3), 114, np.uint8)
    boxes, classes = [], []
    for corner, number in enumerate(indices):
        image = source.images[number]
        scale = min(height / image.shape[0], width / image.shape[1])
        w, h = int(image.shape[1] * scale), int(image.shape[0] * scale)
        image = cv2.resize(image, (w, h))
        x, y = (cx - w, cx)[corner % 2], (cy - h, cy)[corner // 2]
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, 2 * width), min(y + h, 2 * height)
        canvas[y1:y2, x1:x2] = image[y1 - y : y2 - y, x1 - x : x2 - x]
        for box in source.boxes[number]:
            boxes.append(box * scale + (x, y, x, y))
            classes.append(number % 3)
    hulls = []
    for x1, y1, x2, y2 in np.clip(np.reshape(boxes, (-1, 4)), 0, (2 * width, 2 * height) * 2):
        points = np.array([[x1, y1, 1], [x2, y1, 1], [x2, y2, 1], [x1, y2, 1]]) @ matrix.T
        hulls.append([*points.min(0), *points.max(0)])
    hulls = np.clip(np.reshape(hulls, (-1, 4)), 0, (width, height) * 2)
    image = cv2.warpAffine(canvas, matrix, (width, height), borderValue=(114,) * 3)
    return image, hulls, np.array(classes)


def mixup(image, boxes, classes, source, rng):
    """Draws what `Mixup` draws, in the same order, and does it step by step."""
    height, width = image.shape[:2]
    jitter, mirrored = rng.uniform(0.5, 1.5), rng.random() < 0.5
    while not len(source.boxes[index := int(rng.integers(len(source)))]):
        pass
    other = source.images[index]
    scale = min(height / other.shape[0], width / other.shape[1])
    letterbox = np.full((height, width, 3), 114, np.uint8)
    h, w = int(other.shape[0] * scale), int(other.shape[1] * scale)
    letterbox[:h, :w] = cv2.resize(other, (w, h))
    letterbox = cv2.resize(letterbox, (int(width * jitter), int(height * jitter)))
    h, w = letterbox.shape[:2]
    if mirrored:
        letterbox = letterbox[:, ::-1]
    top = int(rng.integers(h - height)) if h > height else 0
    left = int(rng.integers(w - width)) if w > width else 0
    padded = np.zeros((max(h, height), max(w, width), 3), np.uint8)
    padded[:h, :w] = letterbox
    padded = padded[top : top + height, left : left + width]
    moved = []
    for x1, y1, x2, y2 in np.clip(source.boxes[index] * scale * jitter, 0, (w, h) * 2):
        x1, x2 = (w - x2, w - x1) if mirrored else (x1, x2)
        moved.append([x1 - left, y1 - top, x2 - left, y2 - top])
    moved = np.clip(moved, 0, (width, height) * 2)
    mixed = (image.astype(float) + padded) / 2
    return mixed, np.concatenate([boxes, moved]), np.append(classes, [index % 3] * len(moved))
