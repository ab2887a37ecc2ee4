// @node-oauth/oauth2-server over the tables of countersign.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

import OAuth2Server from "@node-oauth/oauth2-server";
import argon2 from "argon2";

import { isSecret, jwt, read, serve, settings, write } from "./common.mjs";

const LIFETIME = 43_200;

const model = {
  async getClient(id, secret) {
    const found = await read("ClientsTable", { client_id: { S: id } });
    if (!found?.enabled.BOOL || !found.secrets.L.some(({ M }) => isSecret(M.hash.S, secret))) return undefined;
    return { id, grants: found.grant_types.SS, scopes: found.scopes.SS };
  },
  getUserFromClient: (client) => ({ id: client.id }),
  async getUser(username, password) {
    const found = await read("UsersTable", { username: { S: username } });
    const isVerified = found?.enabled.BOOL && (await argon2.verify(found.password_hash.S, password));
    return isVerified ? { id: found.user_id.S } : undefined;
  },
  validateScope: (user, client, scope) =>
    scope.every((token) =>
      client.scopes.some((allowed) => (allowed.endsWith("*") ? token.startsWith(allowed.slice(0, -1)) : token === allowed)),
    ) && scope,
  generateAccessToken(client, user, scope) {
    const now = Math.floor(Date.now() / 1000);
    return jwt({
      iss: settings.issuer, aud: settings.issuer, sub: user.id, client_id: client.id, scope: scope.join(" "),
      iat: now, nbf: now, exp: now + LIFETIME, jti: randomUUID(),
    });
  },
  async saveToken(token, client, user) {
    // Access tokens are signed JWTs, which need no record.
    if (token.refreshToken) {
      await write("GrantsTable", {
        id: { S: `peer#${token.refreshToken}` }, client_id: { S: client.id }, user_id: { S: user.id },
        scopes: { SS: token.scope },
      });
    }
    return { ...token, client, user };
  },
};

const server = new OAuth2Server({ model, accessTokenLifetime: LIFETIME });

serve(createServer(async (request, reply) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString()));
  const response = new OAuth2Server.Response({ headers: {} });
  const { headers, method } = request;
  await server.token(new OAuth2Server.Request({ body, headers, method, query: {} }), response).catch(() => {});
  reply.writeHead(response.status, { ...response.headers, "content-type": "application/json" });
  reply.end(JSON.stringify(response.body));
}));
