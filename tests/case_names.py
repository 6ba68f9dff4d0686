"""Our names of the networks that the cases in `tests/parity` are of, where they differ."""

NAMES = {
    "ddpm_unet_small": "ddpm_cifar10",
    "fasterrcnn_resnet50_fpn": "faster_rcnn_resnet50_fpn",
    "gcn_cora": "gcn",
    "gcn_small": "gcn",
    "maskrcnn_resnet50_fpn": "mask_rcnn_resnet50_fpn",
    "protonet_conv4": "conv4",
    "segnet_gradients": "segnet",
    "vgg19_features": "vgg19",
    "vit_ti_16_big_vision": "vit_ti_16",
    "vit_tiny_patch16_224": "vit_ti_16",
    "yolov2_tiny_voc": "yolov2_tiny",
    "yolov2_voc": "yolov2",
}
# A stack of layers without embeddings, which `jaxvision.pretrained.transformer` reads.
STACKS = ("transformer_small",)
