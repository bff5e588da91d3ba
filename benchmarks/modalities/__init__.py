"""Known answers for tables, series and sound: figures and pictures of docs/tables.md, docs/series.md, docs/sound.md."""
