"""`python -m fanfold`: the command line."""

from fanfold.cli import main

main()
