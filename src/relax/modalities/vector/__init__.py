"""The vector modality: reading, masks, figures."""
