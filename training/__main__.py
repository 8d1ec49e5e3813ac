"""``python -m training``: prepare, train, evaluate, export."""

from __future__ import annotations

from training.cli import main

if __name__ == "__main__":
    main()
