"""The command as a module: ``python -m truyvet``."""

from tracing_core.cli import main

if __name__ == "__main__":
    main()
