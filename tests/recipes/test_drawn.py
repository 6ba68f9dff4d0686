"""A folder that is given beside drawn data is refused, by every recipe that can draw its data."""

import pytest

from jaxvision.cli.config_file import parse

# The config of each way in which data are drawn.
DRAWN = {
    "shapes": "yolox",
    "digits": "lenet_mnist",
    "motions": "video",
    "generated digits": "ddpm",
    "label maps": "unet",
    "glyphs": "protonet",
    "sentences": "lstm",
    "opinions": "text_classifier",
    "words": "word2vec",
    "baskets": "word2vec:item2vec",
    "graph": "gcn",
    "walks": "node2vec",
}


@pytest.mark.parametrize("config", DRAWN.values(), ids=DRAWN)
def test_a_folder_beside_drawn_data_is_refused(config):
    command = parse(["train", f"--config={config}", "--config.data.path=mine"], "")
    with pytest.raises(ValueError, match=r"data\.path must be empty for .* got mine\. Name the"):
        command.recipe.experiment(command.config)
