"""Networks for graphs, which map all nodes at once and have no axis of examples."""
