"""Training steps of models in PyTorch, for `train_step.py` to compare with."""

import sys
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn


def step_of(model: str, batch: Mapping[str, np.ndarray], megvii: str) -> Callable[[], None]:
    """Returns a function that makes a training step.

    Args:
        model: A name of `train_step.MODELS`.
        batch: What `train_step.batch_of` made for it.
        megvii: Checkout of Megvii's YOLOX, if the model is one.
    """
    torch.manual_seed(0)
    if model.startswith("yolox"):
        return _yolox(batch, megvii)
    if "boxes" in batch:
        return _torchvision(model, batch)
    if model == "transformer_tiny":
        return _transformer(batch)
    labels = torch.from_numpy(batch["label"].astype(np.int64))
    images = (torch.from_numpy(batch["image"]).permute(0, 3, 1, 2).float() - 128) / 64
    network = _classifier(model)
    return _trainer(network, images, lambda logits: nn.functional.cross_entropy(logits, labels))


def _trainer(
    network: nn.Module,
    images: torch.Tensor,
    loss: Callable[[torch.Tensor], torch.Tensor],
) -> Callable[[], None]:
    network = network.train().to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    optimizer: torch.optim.Optimizer = torch.optim.SGD(
        network.parameters(), 1e-4, momentum=0.9, weight_decay=1e-4, nesterov=True
    )
    if isinstance(network, _SmallViT):
        optimizer = torch.optim.AdamW(network.parameters(), 1e-4, weight_decay=0.03)

    def run() -> None:
        optimizer.zero_grad()
        loss(network(images)).backward()
        optimizer.step()

    return run


def _yolox(batch: Mapping[str, np.ndarray], megvii: str) -> Callable[[], None]:
    """YOLOX-tiny with SimOTA, SGD and the moving average of the authors' trainer."""
    sys.path.insert(0, megvii)
    from yolox.models import YOLOPAFPN, YOLOX, YOLOXHead
    from yolox.utils import ModelEMA

    channels = [256, 512, 1024]
    network = YOLOX(
        YOLOPAFPN(0.33, 0.375, in_channels=channels),
        YOLOXHead(int(batch["classes"].max()) + 1, 0.375, in_channels=channels),
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps, module.momentum = 1e-3, 0.03
    network.head.initialize_biases(1e-2)
    network = network.train().to(memory_format=torch.channels_last)
    average = ModelEMA(network, 0.9998)
    optimizer = torch.optim.SGD(
        network.parameters(), 1e-4, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    images = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2).float()
    images = images.contiguous(memory_format=torch.channels_last)
    low, high = np.split(batch["boxes"], 2, axis=-1)
    boxes = np.concatenate([(low + high) / 2, high - low], axis=-1)
    targets = torch.from_numpy(
        np.concatenate([batch["classes"][..., None].astype(np.float32), boxes], axis=-1)
    )

    def run() -> None:
        optimizer.zero_grad()
        network(images, targets)["total_loss"].backward()
        optimizer.step()
        average.update(network)

    return run


def _torchvision(model: str, batch: Mapping[str, np.ndarray]) -> Callable[[], None]:
    """A detector of torchvision with everything trained, SGD as its reference script has it."""
    from torchvision.models import detection

    build = {
        "ssd300": detection.ssd300_vgg16,
        "retinanet_512": detection.retinanet_resnet50_fpn,
        "faster_rcnn_512": detection.fasterrcnn_resnet50_fpn,
    }[model]
    side = batch["image"].shape[1]
    sizes = {} if model == "ssd300" else dict(min_size=side, max_size=side)
    # Its first class is background.
    first = 0 if model == "retinanet_512" else 1
    network = build(weights=None, weights_backbone=None, num_classes=20 + first, **sizes)
    network = network.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), 1e-4, momentum=0.9, weight_decay=1e-4)
    images = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2).float() / 255
    targets = [
        dict(boxes=torch.from_numpy(boxes), labels=torch.from_numpy(classes + first).long())
        for boxes, classes in zip(batch["boxes"], batch["classes"], strict=True)
    ]

    def run() -> None:
        optimizer.zero_grad()
        sum(network(list(images), targets).values()).backward()
        optimizer.step()

    return run


def _classifier(model: str) -> nn.Module:
    import torchvision

    if model == "resnet50_224":
        return torchvision.models.resnet50()
    if model == "resnet20_32":
        return _CifarResNet(3)
    if model == "vit_tiny_32":
        return _SmallViT()
    raise ValueError(f"there is no {model} in PyTorch here")


class _CifarBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut without parameters (He et al. 2015, option A)."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.stride = channels // before
        self.missing = channels - before
        self.conv1 = nn.Conv2d(before, channels, 3, self.stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.missing:
            x = nn.functional.pad(
                x[:, :, :: self.stride, :: self.stride], (0,) * 5 + (self.missing,)
            )
        return torch.relu(x + y)


class _CifarResNet(nn.Sequential):
    """ResNet of He et al. 2015, section 4.2: three stages of n blocks, 6 n + 2 layers."""

    def __init__(self, n: int) -> None:
        blocks = []
        for stage, channels in enumerate((16, 32, 64)):
            before = channels // 2 if stage else channels
            blocks += [
                _CifarBlock(before, channels),
                *(_CifarBlock(channels, channels) for _ in range(n - 1)),
            ]
        super().__init__(
            nn.Conv2d(3, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        )


class _SmallViT(nn.Module):
    """The network of `configs/vit_cifar10.py:short`: four blocks of width 128 on 64 patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 128, 4, 4)
        self.positions = nn.Parameter(0.02 * torch.randn(1, 64, 128))
        block = nn.TransformerEncoderLayer(
            128, 4, 256, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, 4, nn.LayerNorm(128), False)
        self.head = nn.Linear(128, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.blocks(x).mean(1))


class _SmallTransformer(nn.Module):
    """The network of `configs/transformer_multi30k.py:short`, its embedding used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6000, 128)
        self.positions = nn.Parameter(0.02 * torch.randn(1, 32, 128), requires_grad=False)
        self.blocks = nn.Transformer(128, 4, 4, 4, 256, dropout=0.2, batch_first=True)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        source, target = (
            nn.functional.dropout(
                128**0.5 * self.embedding(tokens) + self.positions[:, : tokens.shape[1]], 0.2
            )
            for tokens in (source, target)
        )
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        x = self.blocks(source, target, tgt_mask=mask, tgt_is_causal=True)
        return x @ self.embedding.weight.T


def _transformer(batch: Mapping[str, np.ndarray]) -> Callable[[], None]:
    source, target = (torch.from_numpy(batch[key].astype(np.int64)) for key in ("source", "target"))
    network = _SmallTransformer().train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-4, betas=(0.9, 0.98), eps=1e-9)

    def run() -> None:
        optimizer.zero_grad()
        logits = network(source, target[:, :-1]).flatten(0, 1)
        loss = nn.functional.cross_entropy(logits, target[:, 1:].flatten(), label_smoothing=0.1)
        loss.backward()
        optimizer.step()

    return run
