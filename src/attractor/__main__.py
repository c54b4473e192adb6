"""``python -m attractor``: the command, where no folder of commands is searched."""

from attractor.cli import main

if __name__ == "__main__":
    main()
