"""``python -m despatch``: the command line."""

from despatch.cli import main

if __name__ == "__main__":
    main()
