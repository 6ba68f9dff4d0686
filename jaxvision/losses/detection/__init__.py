"""Methods of detection (targets, loss, decoding), one paper a file."""
