"""click: a group of commands, run in-process, with errors and help."""
# requires: click click.testing
# scope-of: click
# artefact: B
# artefact-functions: *
# selective misses: _tp_cache _type_check __getitem__ __getattr__
import gc

gc.disable()
import click
from click.testing import CliRunner


@click.group()
@click.option("--verbose/--quiet", default=False)
@click.pass_context
def cli(ctx, verbose):
    ctx.obj = verbose


@cli.command()
@click.argument("name")
@click.option("--count", type=click.IntRange(1, 5), default=1, show_default=True)
@click.option("--kind", type=click.Choice(["a", "b"]), multiple=True)
@click.pass_obj
def greet(verbose, name, count, kind):
    """Greets NAME."""
    for _ in range(count):
        click.secho("hello %s %s" % (name, kind), fg="green")


runner = CliRunner()
for arguments in (
    ["--help"],
    ["greet", "--help"],
    ["--verbose", "greet", "x", "--count", "3", "--kind", "a", "--kind", "b"],
    ["greet", "x", "--count", "9"],
    ["greet"],
    ["gret", "x"],
):
    runner.invoke(cli, arguments)
