"""Values in, PDF out; the only home of WeasyPrint."""
