"""Form fields, pickers and plots that know nothing of jobs; any room of gui may import it."""
