"""`python -m fanfold`: the command line."""

from fanfold.start import main

main()
