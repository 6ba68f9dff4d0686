"""Which prediction answers for which object: static shapes, on the device, for one image."""
