"""The image modality: reading, masks, fills, figures."""
