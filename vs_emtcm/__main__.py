"""``python -m vs_emtcm``: the command ``vs-emtcm``."""

from vs_emtcm.cli import main

main()
