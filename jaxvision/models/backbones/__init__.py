"""Backbones: images [B, H, W, 3] to features {stride: [B, H / stride, W / stride, C]}."""
