"""A page for a browser on this machine, on which a trained run can be tried."""
