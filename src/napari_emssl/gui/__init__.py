"""The napari door: thin views of the jobs."""
