"""The `jaxvision` command, one file a subcommand."""
