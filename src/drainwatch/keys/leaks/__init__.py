"""Keys left where others can read them: in files, notebooks, shell histories and git's past."""
