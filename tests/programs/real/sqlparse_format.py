"""sqlparse: splits, parses and formats statements."""
# requires: sqlparse
# scope-of: sqlparse
# artefact: B
# artefact-functions: *
# selective misses: _tp_cache Flag.__or__
import gc

gc.disable()
import sqlparse

SQL = """select a, b as c, count(*) from t left join u on t.id = u.id where a in (1, 2) and
b like 'x%' group by a having count(*) > 1 order by 2 desc; -- comment
insert into t (a) values (1), (2); create table x (id integer primary key, n varchar(10));"""

sqlparse.split(SQL)
sqlparse.format(SQL, reindent=True, keyword_case="upper", identifier_case="lower")
sqlparse.format(SQL, strip_comments=True, reindent_aligned=True)
for statement in sqlparse.parse(SQL):
    list(statement.flatten()), statement.get_type()
