"""Which prediction is trained for which object: static shapes, on the device, for one image."""
