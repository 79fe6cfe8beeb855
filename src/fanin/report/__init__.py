"""What people see of results: tables, figures, pages, sentences. Imports theory, measure, nn."""
