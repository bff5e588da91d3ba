"""The table modality: rows, masks on columns, fills, figures."""
