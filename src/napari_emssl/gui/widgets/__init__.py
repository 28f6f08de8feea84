"""Form fields, pickers and plots that know nothing of jobs; all docks may import it."""
