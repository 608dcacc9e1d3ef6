"""`python -m drainwatch` is the command `drainwatch`."""

from drainwatch.cli import main

if __name__ == "__main__":
    main()
