"""pyparsing: an arithmetic grammar with actions, and a failing parse."""
# requires: pyparsing
# scope-of: pyparsing
# artefact: B
# artefact-functions: *
# selective misses: _tp_cache _type_check __getitem__ ABCMeta.__subclasscheck__
import gc

gc.disable()
import pyparsing as pp

number = pp.Word(pp.nums).set_parse_action(lambda tokens: int(tokens[0]))
expression = pp.infix_notation(
    number,
    [
        (pp.one_of("+ -"), 1, pp.OpAssoc.RIGHT),
        (pp.one_of("* /"), 2, pp.OpAssoc.LEFT),
        (pp.one_of("+ -"), 2, pp.OpAssoc.LEFT),
    ],
)
assignment = pp.Group(pp.Word(pp.alphas)("name") + "=" + expression("value"))
program = pp.ZeroOrMore(assignment + pp.Suppress(";"))

for text in ("a = 1 + 2*3;", "b = (4-1)*-2; c = 1;"):
    program.parse_string(text, parse_all=True).as_list()
try:
    program.parse_string("a = (1 + ;", parse_all=True)
except pp.ParseException as error:
    str(error)
