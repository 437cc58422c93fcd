import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openStage, valueOf, type Stage } from "./neon-endpoint-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const rawHeaders = { "neon-raw-text-output": "true", "neon-array-mode": "true" };

describe("parameters", () => {
  const echo = async (param: unknown, type = "text") =>
    valueOf(await stage.post({ query: `select $1::${type}::text`, params: [param] }));

  it.each([
    ["null", null, null],
    ["a string", `it's "so" \\ {é} 🦉`, `it's "so" \\ {é} 🦉`],
    ["an empty string", "", ""],
    ["a whole number", 42, "42"],
    ["a fraction", 1.5, "1.5"],
    ["a boolean", true, "true"],
    ["an object", { a: [1, "x"], b: null }, '{"a":[1,"x"],"b":null}'],
    ["an array", [1, null, true, 'a"b\\', ["x"]], '{1,NULL,true,"a\\"b\\\\",{"x"}}'],
    ["an array of objects", [{ a: 1 }], '{"{\\"a\\":1}"}'],
    ["an empty array", [], "{}"],
  ])("arrive as text: %s", async (_, param, text) => {
    expect(await echo(param)).toBe(text);
  });

  it("keep every digit of a number", async () => {
    const body = '{"query":"select $1::text a, $2::text b","params":[12345678901234567890,[0.10]]}';
    const answer = await stage.post(body);
    expect(answer.json.rows).toEqual([{ a: "12345678901234567890", b: "{0.10}" }]);
  });

  it("have no type of their own: Postgres infers it", async () => {
    const answer = await stage.post({ query: "select $1 + 1 as n", params: ["41"] });
    expect(answer.json.rows).toEqual([{ n: 42 }]);
    const wrong = await stage.post({ query: "select $1 + 1", params: ["x"] });
    expect(wrong.json).toMatchObject({ code: "22P02" });
  });

  it("must be as many as the statement has", async () => {
    const answer = await stage.post({ query: "select $1", params: [] });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({
      code: "08P01",
      message: 'bind message supplies 0 parameters, but prepared statement "" requires 1',
    });
  });

  it("are refused with 400 where the wire cannot carry them", async () => {
    const many = await stage.post({ query: "select 1", params: Array(65_536).fill(null) });
    expect(many.status).toBe(400);
    expect(many.json.message).toBe("error encoding message to server: value too large to transmit");
    const text = await stage.post({ query: "select 1 \0" });
    expect(text.status).toBe(400);
    expect(text.json.message).toBe("error encoding message to server: string contains embedded null");
    const value = await stage.post({ query: "select $1", params: ["\0"] });
    expect(value.json).toMatchObject({ code: "22021" });
    expect((await stage.post({ query: "select 1" })).status).toBe(200);
  });
});

describe("a result", () => {
  it("has the metadata of every field, the rows, the command and the count", async () => {
    await stage.post({ query: "create table goods (id int primary key, name varchar(20))" });
    await stage.post({ query: "insert into goods values (1, 'nail'), (2, null)" });
    const { rows } = await openShop((shop) => shop.query<{ oid: number }>("select 'goods'::regclass::oid::int as oid"));
    const answer = await stage.post({ query: "select id, name, 1.5 as n from goods order by id" });
    const table = rows[0]?.oid;
    const field = (name: string, type: number, column: number, size: number, modifier = -1) => ({
      name,
      dataTypeID: type,
      tableID: column ? table : 0,
      columnID: column,
      dataTypeSize: size,
      dataTypeModifier: modifier,
      format: "text",
    });
    expect(answer.json).toEqual({
      fields: [field("id", 23, 1, 4), field("name", 1043, 2, -1, 24), field("n", 1700, 0, -1)],
      rows: [
        { id: 1, name: "nail", n: "1.5" },
        { id: 2, name: null, n: "1.5" },
      ],
      command: "SELECT",
      rowCount: 2,
      rowAsArray: false,
    });
  });

  it("is made of arrays when the header or the query says so, and the query wins", async () => {
    const header = { "neon-array-mode": "true" };
    const query = "select 1 as a, 'x' as b";
    const byHeader = await stage.post({ query }, { headers: header });
    expect(byHeader.json).toMatchObject({ rows: [[1, "x"]], rowAsArray: true });
    const byQuery = await stage.post({ query, arrayMode: true });
    expect(byQuery.json).toMatchObject({ rows: [[1, "x"]], rowAsArray: true });
    const against = await stage.post({ query, arrayMode: false }, { headers: header });
    expect(against.json).toMatchObject({ rows: [{ a: 1, b: "x" }], rowAsArray: false });
  });

  it.each(["True", "TRUE", "1", "yes", ""])("takes %j in a header as no", async (value) => {
    const headers = { "neon-array-mode": value, "neon-raw-text-output": value };
    const answer = await stage.post({ query: "select 1 as a" }, { headers });
    expect(answer.json.rows).toEqual([{ a: 1 }]);
  });

  const values = `select true, 2::int2, 3, 4::int8, 1.5::float8, 'NaN'::float8, 2.50::numeric,
    '{"a":[1]}'::jsonb, array[1,null], array['a"b','NULL',null,'{x}','c d'], '{}'::int[],
    array[[true],[false]], '[0:0]={7}'::int[], array['{"k":1}'::jsonb], null::text`;

  it("has the text of Postgres where raw text was asked for", async () => {
    const answer = await stage.post({ query: values }, { headers: rawHeaders });
    expect(answer.json.rows).toEqual([
      [
        "t",
        "2",
        "3",
        "4",
        "1.5",
        "NaN",
        "2.50",
        '{"a": [1]}',
        "{1,NULL}",
        '{"a\\"b","NULL",NULL,"{x}","c d"}',
        "{}",
        "{{t},{f}}",
        "[0:0]={7}",
        '{"{\\"k\\": 1}"}',
        null,
      ],
    ]);
  });

  it("has JSON values where it was not", async () => {
    const answer = await stage.post({ query: values, arrayMode: true });
    expect(answer.json.rows).toEqual([
      [
        true,
        2,
        3,
        "4",
        1.5,
        "NaN",
        "2.50",
        { a: [1] },
        [1, null],
        ['a"b', "NULL", null, "{x}", "c d"],
        [],
        [[true], [false]],
        [7],
        [{ k: 1 }],
        null,
      ],
    ]);
  });

  it("keeps both of two columns with one name", async () => {
    const answer = await stage.post({ query: "select 1 as a, 2 as a" });
    expect(answer.text).toContain('{"a":1,"a":2}');
  });

  it.each([
    ["create table scratch (n int)", "CREATE", null],
    ["select from generate_series(1, 3)", "SELECT", 3],
    ["select 1 where false", "SELECT", 0],
    ["insert into log values (1), (2)", "INSERT", 2],
    ["update log set n = n where false", "UPDATE", 0],
    ["delete from log where n = 3", "DELETE", 0],
    ["create table made as select 1 as n", "SELECT", 1],
    ["set search_path = public", "SET", null],
    ["", "", null],
  ])("names the command of %j and its count", async (query, command, rowCount) => {
    await openShop(async (shop) => {
      await shop.query("drop table if exists log, scratch, made");
      await shop.query("create table log (n int)");
      await shop.query("alter table log owner to app");
    });
    const answer = await stage.post({ query });
    expect(answer.json).toMatchObject({ command, rowCount });
  });

  it("takes one statement only", async () => {
    const answer = await stage.post({ query: "select 1; select 2" });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({
      code: "42601",
      message: "cannot insert multiple commands into a prepared statement",
    });
  });

  it.each(["copy copied to stdout", "copy copied from stdin"])(
    "refuses %j, which needs another protocol",
    async (query) => {
      await stage.post({ query: "create table if not exists copied (n int)" });
      const answer = await stage.post({ query });
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ message: "unexpected message from server", code: "" });
      expect((await stage.post({ query: "select 1" })).status).toBe(200);
    },
  );
});

/** Does something as the superuser in the database `shop`. */
async function openShop<T>(work: (shop: Client) => Promise<T>): Promise<T> {
  const shop = new Client({ connectionString: stage.postgres.url("postgres", "shop") });
  await shop.connect();
  try {
    return await work(shop);
  } finally {
    await shop.end();
  }
}
