"""What a report and a verdict share: tables, figures, formats, pages."""
