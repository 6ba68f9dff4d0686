"""The `jaxvision` command."""
