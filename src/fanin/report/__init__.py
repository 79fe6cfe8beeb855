"""Presents results: tables, figures, pages, sentences. Imports theory, measure, nn."""
