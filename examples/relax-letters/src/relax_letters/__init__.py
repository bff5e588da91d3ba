"""Adds to relax: texts as bags of letters, words as units, a method and a reference. Nothing of it must be imported."""
