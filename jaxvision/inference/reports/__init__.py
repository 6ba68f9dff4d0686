"""What an evaluation says of a trained model, task by task, as a page and as values."""
