"""The series modality: reading, masks in time and frequency, fills, figures."""
