"""The sound modality: reading, masks in time and frequency, fills, figures, pages."""
