"""Host side: sources of examples, readers of annotation formats, augmentation, batches."""
