"""Makes cases.json: queries over small tables and what DuckDB answers. Needs duckdb 2.0 from PyPI; run it by hand when a case is new.

Values are as our rows are in JSON: a day is days since 1970, an instant microseconds since then, a decimal a float.
"""

import datetime
import decimal
import json
import pathlib

import duckdb

EPOCH = datetime.datetime(1970, 1, 1)
SHOPS = ["north", "south", "east", "west", None]
ITEMS = ["apple", "pear", "plum"]


def numbers(seed):
    while True:
        seed = (seed * 1103515245 + 12345) % 2**31
        yield seed >> 8


def sales(rows):
    draw = numbers(7)
    for number in range(rows):
        shop, item = SHOPS[next(draw) % 5], ITEMS[next(draw) % 3]
        day = datetime.date(2025, 11, 20) + datetime.timedelta(days=next(draw) % 100)
        at = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=next(draw) % 5_000_000, microseconds=next(draw) % 1000)
        amount = None if next(draw) % 9 == 0 else (next(draw) % 20000 - 4000) / 64
        yield number, shop, item, day, at, amount, next(draw) % 7, next(draw) % 2 == 0


TABLES = {
    "sales": (
        [("id", "int64"), ("shop", "text"), ("item", "text"), ("day", "date"), ("sold", "timestamp"), ("amount", "float64"),
         ("pieces", "int64"), ("paid", "boolean")],
        list(sales(60)),
    ),
    "shops": (
        [("name", "text"), ("city", "text"), ("opened", "date"), ("boss", "text")],
        [("north", "Oslo", datetime.date(2020, 2, 29), None), ("south", "Rome", datetime.date(2021, 7, 1), "north"),
         ("east", "Kyiv", None, "south"), ("far", "Lima", datetime.date(2019, 12, 31), "east")],
    ),
    "nothing": ([("name", "text"), ("x", "float64")], []),
}

CASES = {
    "inner join": "select s.id, h.city from sales s join shops h on s.shop = h.name order by s.id",
    "left join keeps what matches nothing": "select s.id, s.shop, h.city from sales s left join shops h on s.shop = h.name order by s.id",
    "right join": "select h.name, count(s.id) as n from sales s right join shops h on s.shop = h.name group by h.name order by h.name",
    "full join": "select h.name, s.shop, count(*) as n from sales s full join shops h on s.shop = h.name group by 1, 2 order by 1 nulls last, 2 nulls last",
    "cross join": "select a.name as a, b.city as b from shops a cross join shops b order by 1, 2",
    "join on a range": "select s.id, h.name from sales s join shops h on s.day > h.opened and s.pieces < 2 order by 1, 2",
    "left join on a range": "select h.name, count(s.id) as n from shops h left join sales s on s.day < h.opened group by 1 order by 1",
    "join with itself": "select a.name, b.name as boss from shops a join shops b on a.boss = b.name order by 1",
    "using": "select name, city, x from shops left join nothing using (name) order by name",
    "semi join": "select name from shops where name in (select shop from sales) order by name",
    "anti join": "select name from shops where name not in (select shop from sales where shop is not null) order by name",
    "not in with nulls": "select count(*) as n from shops where name not in (select shop from sales)",
    "exists": "select name from shops h where exists (select 1 from sales s where s.shop = h.name and s.amount > 200) order by 1",
    "not exists": "select name from shops h where not exists (select 1 from sales s where s.shop = h.name) order by 1",
    "correlated scalar": "select name, (select max(amount) from sales s where s.shop = h.name) as most from shops h order by name",
    "grouping": "select shop, item, count(*) as n, sum(amount) as total, avg(amount) as mean, min(day) as first, max(sold) as last from sales group by shop, item order by shop nulls first, item",
    "grouping without groups": "select count(*) as n, count(amount) as m, sum(pieces) as p, avg(pieces) as mean from sales",
    "grouping of nothing": "select count(*) as n, sum(x) as total, max(name) as most from nothing",
    "groups of nothing": "select name, sum(x) as total from nothing group by name",
    "having": "select item, sum(pieces) as p from sales group by item having sum(pieces) > 40 order by item",
    "distinct": "select distinct item, paid from sales order by 1, 2",
    "count distinct": "select item, count(distinct shop) as shops from sales group by item order by item",
    "filtered aggregates": "select item, count(*) filter (where paid) as paid, sum(amount) filter (where pieces > 3) as big from sales group by item order by item",
    "spread": "select item, stddev_samp(amount) as s, var_pop(amount) as v, corr(amount, pieces) as c, median(amount) as m from sales group by item order by item",
    "booleans together": "select item, bool_and(paid) as every, bool_or(paid) as some from sales group by item order by item",
    "texts together": "select item, string_agg(shop, '|' order by id) as shops from sales group by item order by item",
    "grouping sets": "select shop, item, count(*) as n from sales group by grouping sets ((shop, item), (shop), ()) order by shop nulls last, item nulls last, n",
    "rollup": "select item, paid, sum(pieces) as p, grouping(item) as g from sales group by rollup (item, paid) order by g, item nulls last, paid nulls last",
    "cube": "select item, paid, sum(pieces) as p, grouping(item) as a, grouping(paid) as b from sales group by cube (item, paid) order by a, b, item, paid",
    "row number": "select id, row_number() over (partition by item order by sold) as n from sales order by id",
    "ranks": "select id, rank() over (order by pieces) as r, dense_rank() over (order by pieces) as d, ntile(4) over (order by id) as q from sales order by id",
    "share of rank": "select id, percent_rank() over (partition by item order by pieces) as p, cume_dist() over (partition by item order by pieces) as c from sales order by id",
    "lag and lead": "select id, lag(pieces) over (partition by item order by sold) as before, lead(pieces, 2, -1) over (partition by item order by sold) as after from sales order by id",
    "running sum": "select id, sum(pieces) over (partition by item order by sold rows between unbounded preceding and current row) as s from sales order by id",
    "moving mean": "select id, avg(amount) over (partition by item order by sold rows between 2 preceding and 1 following) as m from sales order by id",
    "over the whole": "select id, pieces * 1.0 / sum(pieces) over () as part from sales order by id",
    "first and nth of a window": "select id, first_value(id) over w as f, nth_value(id, 2) over w as n, last_value(id) over w as l from sales window w as (partition by paid order by sold rows between unbounded preceding and unbounded following) order by id",
    "range of days": "select id, count(*) over (order by day range between interval '7 days' preceding and current row) as week from sales order by id",
    "qualify": "select item, id from sales qualify row_number() over (partition by item order by amount desc nulls last, id) = 1 order by item",
    "common tables": "with paid as (select * from sales where paid), big as (select item, sum(pieces) as p from paid group by item) select s.item, b.p, count(*) as n from sales s join big b on s.item = b.item group by 1, 2 order by 1",
    "recursion over numbers": "with recursive n(x) as (select 1 union all select x + 1 from n where x < 12) select x, x * x as square from n order by x",
    "recursion over a tree": "with recursive above as (select name, boss, 0 as steps from shops where name = 'far' union all select h.name, h.boss, steps + 1 from shops h join above a on h.name = a.boss) select name, steps from above order by steps",
    "pivot by case": "select shop, sum(case when item = 'apple' then pieces else 0 end) as apple, sum(case when item = 'pear' then pieces else 0 end) as pear, sum(case when item = 'plum' then pieces end) as plum from sales group by shop order by shop nulls first",
    "union": "select item from sales union select city from shops order by 1",
    "union all": "select count(*) as n from (select id from sales union all select id from sales)",
    "intersect and except": "select shop from sales intersect select name from shops order by 1",
    "except": "select name from shops except select shop from sales order by 1",
    "order and limit": "select id, amount from sales order by amount desc nulls last, id limit 7 offset 2",
    "parts of days": "select id, extract(year from day) as y, extract(month from day) as m, extract(doy from day) as d, extract(hour from sold) as h from sales order by id",
    "truncated instants": "select date_trunc('month', sold) as month, count(*) as n from sales group by 1 order by 1",
    "days between": "select id, day - date '2026-01-01' as days from sales order by id",
    "shifted days": "select id, cast(day + interval '1 month' as timestamp) as later, cast(sold - interval '90 minutes' as timestamp) as earlier from sales order by id",
    "days of text": "select cast('2024-02-29' as date) as d, cast('2024-02-29 23:59:58.123456' as timestamp) as t, cast(date '2024-12-31' as text) as s",
    "make a day": "select make_date(2024, 2, 29) as d, extract(dow from date '2026-03-01') as w",
    "seconds since 1970": "select id, cast(extract(epoch from sold) as bigint) as s from sales order by id",
    "texts": "select upper(item) as u, length(item) as n, substr(item, 2, 2) as s, item || '-' || coalesce(shop, '?') as c, replace(item, 'p', 'P') as r, strpos(item, 'l') as p from sales where id < 10 order by id",
    "trimmed and split": "select trim('  a b ') as t, split_part('a,b,c', ',', 2) as p, lpad('7', 3, '0') as l, starts_with('plum', 'pl') as w, reverse('abc') as r",
    "patterns": "select id, item like 'p%' as p, item ilike 'AP%' as a, regexp_replace(item, '[aeiou]', '*', 'g') as r from sales where id < 12 order by id",
    "numbers": "select round(2.5) as r, floor(-1.5) as f, ceil(1.2) as c, abs(-3) as a, power(2, 10) as p, sqrt(2.0) as s, ln(10.0) as l, 7 % 3 as m, greatest(1, 5, 3) as g",
    "nulls": "select coalesce(amount, -1) as a, nullif(pieces, 3) as p, amount is null as n, case when amount > 0 then 'plus' when amount <= 0 then 'minus' else 'none' end as s from sales order by id",
    "truth of nulls": "select id, amount > 100 as a, amount > 100 or paid as b, not (amount > 100) as c from sales order by id",
    "casts": "select cast('12' as bigint) as i, cast(3.7 as double) as d, cast(12 as text) as s, cast('1.5' as double) as f, cast(1 as boolean) as b, try_cast('x' as bigint) as t",
    "values": "select column1 * 2 as twice, column2 as word from (values (1, 'one'), (2, 'two'), (3, null)) as v(column1, column2) order by 1",
    "nested": "select item, n from (select item, count(*) as n, rank() over (order by count(*) desc, item) as r from sales group by item) where r <= 2 order by r",
    "quoted names": "select pieces as \"Pieces sold\", item as \"select\" from sales where id = 3",
}


def plain(value):
    match value:
        case datetime.datetime():
            return (value.replace(tzinfo=None) - EPOCH) // datetime.timedelta(microseconds=1)
        case datetime.date():
            return (value - EPOCH.date()).days
        case decimal.Decimal():
            return float(value)
    return value


def main():
    duck = duckdb.connect()
    types = {"int64": "bigint", "float64": "double", "text": "varchar", "date": "date", "timestamp": "timestamp", "boolean": "boolean"}
    for name, (columns, rows) in TABLES.items():
        fields = ", ".join(f"{column} {types[kind]}" for column, kind in columns)
        duck.execute(f"create table {name} ({fields})")
        if rows:
            places = ", ".join("?" * len(columns))
            duck.executemany(f"insert into {name} values ({places})", rows)
    tables = {
        name: {"columns": columns, "rows": [[plain(value) for value in row] for row in rows]}
        for name, (columns, rows) in TABLES.items()
    }
    cases = []
    for name, sql in CASES.items():
        answer = duck.execute(sql)
        columns = [column[0] for column in answer.description]
        rows = [[plain(value) for value in row] for row in answer.fetchall()]
        cases.append({"name": name, "sql": sql, "columns": columns, "rows": rows})
    lines = [f'{{"duckdb": "{duckdb.__version__}",', '"tables": {']
    lines.append(",\n".join(f"{json.dumps(name)}: {json.dumps(table)}" for name, table in tables.items()) + "},")
    lines.append('"cases": [')
    lines.append(",\n".join(json.dumps(case) for case in cases) + "]}")
    (pathlib.Path(__file__).parent / "cases.json").write_text("\n".join(lines) + "\n")


main()
