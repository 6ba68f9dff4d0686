"""Trains what a config describes.

    python train.py --config configs/yolox.py
    python train.py --config configs/yolox.py:s,coco2017 --config.data.path=DIR --workdir=runs/coco

The same command continues a run that was stopped. `jaxvision train` is this command, installed.
"""

import sys

from jaxvision.cli.huge_pages import restart_with_huge_pages
from jaxvision.cli.process import leave, take_interrupts
from jaxvision.cli.train import main

if __name__ == "__main__":
    take_interrupts()
    restart_with_huge_pages()
    leave(main(sys.argv))
