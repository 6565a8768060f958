"""What people type, and what they mean by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

# ruff: noqa: PLC0415 - what is for slips of the pen, and for a genome as the first word, is imported
# there: most commands don't need it

_MEANT = {
    **dict.fromkeys(("--kmer", "--kmers", "--k-mer", "--kmer-size", "--klen", "--ksize"), "-k"),
    **dict.fromkeys(("--output", "--outdir", "--out-dir", "--output-dir", "-d"), "--out"),
    **dict.fromkeys(("--cpus", "--cores", "--nproc", "--jobs", "-p", "-T", "-c"), "--threads"),
    **dict.fromkeys(("--overwrite", "-f", "--restart", "--no-resume"), "--fresh"),
    **dict.fromkeys(("--mem", "--ram", "--max-memory", "-m", "-M"), "--memory"),
    **dict.fromkeys(("--chunk-size", "--slice", "--slice-bytes", "--split"), "--slice-size"),
    **dict.fromkeys(("--both-strands", "-C", "-b"), "--canonical"),
    **dict.fromkeys(("--infile-list", "--file-list", "--list", "--input-list", "-X"), "--from"),
    **dict.fromkeys(("--sample", "--sample-name", "--labels"), "--label"),
    **dict.fromkeys(("--silent", "--no-progress"), "--quiet"),
    **dict.fromkeys(("--endpoint", "--s3-endpoint"), "--endpoint-url"),
    **dict.fromkeys(("--anonymous", "--no-sign"), "--no-sign-request"),
    **dict.fromkeys(("--min-len", "--min-contig"), "--min-length"),
    **dict.fromkeys(("--est-ref-size", "--ref-size", "-g", "-G"), "--genome-size"),
}
"""What options of other tools are called here."""

_ALL_COLUMNS = ("-a", "--all")
_AS_A_TABLE = ("-T", "--tabular")
_OF_STATS = ("--tsv", "--tabular", *_ALL_COLUMNS, "--stdout", "--nx")


def is_genome(word: str) -> bool:
    """Whether the first word of a command line is a genome, and no command."""
    from pathlib import Path

    from fanfold.objects import STDIN
    from fanfold.objects.urls import is_url

    return word == STDIN or is_url(word) or Path(word).exists()


def no_such_command(word: str, commands: Iterable[str], context: click.Context) -> click.UsageError:
    """The error that a first word is neither a command nor a genome."""
    near = _closest(word.lower(), commands)
    advice = f"did you mean `fanfold {near}`?" if near else "`fanfold help` lists the commands"
    kind = "no such file, and no such command" if {".", "/"} & {*word} else "no such command"
    return click.UsageError(f"{word}: {kind}; {advice}", context)


def _closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that is most like another, if one is like it at all."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1, cutoff)), None)


def advice_for(error: click.NoSuchOption) -> str:
    """What is meant by an option that doesn't exist, in words."""
    context = error.ctx
    if context is None or context.parent is None:
        return f"write a command before it: fanfold run {error.option_name} …"
    name = error.option_name
    known = {each for option in context.command.get_params(context) for each in option.opts}
    if "--tsv" in known and name in _ALL_COLUMNS:
        return f"it shows every column: leave {name} out"
    meant = "--tsv" if "--tsv" in known and name in _AS_A_TABLE else _MEANT.get(name)
    if meant in known:
        return f"here it is {meant}"
    if name in _OF_STATS and context.info_name != "stats":
        return f"a table on the screen is `fanfold stats`: fanfold stats {name} …"
    near = _closest(name, known, 0.7)
    verbs = context.command_path.partition(" ")[2]
    return f"did you mean {near}?" if near else f"`fanfold help {verbs}` lists them"


def check_genomes(genomes: Sequence[str], k: Sequence[int]) -> None:
    """Check that no k is among the genomes, as ``-k 5 8`` makes it.

    Raises:
        click.UsageError: one is.
    """
    from pathlib import Path

    numbers = [each for each in genomes if each.isdecimal() and not Path(each).exists()]
    if k and numbers:
        lengths = ",".join([*map(str, k), *numbers])
        raise click.UsageError(f"{numbers[0]} is no genome; for several k write -k {lengths}")
