// The parts that both peers share: DynamoDB, the signing key, and the server. For a fair comparison with countersign,
// NODE_ENV is production, connections to DynamoDB are kept open, there is one process, and the key is parsed once.
import { createHash, createPrivateKey, sign, timingSafeEqual } from "node:crypto";
import { Agent } from "node:http";

import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";

/** `{algorithm, dynamodb, issuer, key}`: `dynamodb` is a URL, `key` is PEM. */
export const settings = JSON.parse(process.env.COUNTERSIGN);
export const key = createPrivateKey(settings.key);

const dynamodb = new DynamoDBClient({
  endpoint: settings.dynamodb,
  region: "eu-west-2",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
  requestHandler: new NodeHttpHandler({ httpAgent: new Agent({ keepAlive: true, maxSockets: 64 }) }),
});

export async function read(table, key) {
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }));
  return Item;
}

export async function write(table, item) {
  await dynamodb.send(new PutItemCommand({ TableName: table, Item: item }));
}

/** Returns true if the secret matches a hash of the form `$sha256$` and base64. */
export function isSecret(hash, secret) {
  const expected = Buffer.from(hash.slice("$sha256$".length), "base64");
  const actual = createHash("sha256").update(secret).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");

/** Returns a signed JWT with the same header members as the tokens of countersign. */
export function jwt(claims) {
  const text = `${encode({ typ: "at+jwt", alg: settings.algorithm, kid: "1" })}.${encode(claims)}`;
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** Serves on a free port of 127.0.0.1, prints its URL, and exits when stdin closes. */
export function serve(server) {
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
  process.stdin.on("end", () => process.exit()).resume();
}
