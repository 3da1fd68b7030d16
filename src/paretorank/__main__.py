"""`python -m paretorank` is the same as the command `paretorank`."""

from paretorank.cli.main import main

main()
