// oidc-provider over the tables of countersign.
import { createServer } from "node:http";

import Provider from "oidc-provider";

import { isSecret, key, read, serve, settings } from "./common.mjs";

const SCOPES = ["legacy:autonomy.read", "legacy:autonomy.write"];

/** Reads clients from DynamoDB. Stores nothing, because signed access tokens need no record. */
class Adapter {
  constructor(name) {
    this.name = name;
  }

  async find(id) {
    if (this.name !== "Client") return undefined;
    const found = await read("ClientsTable", { client_id: { S: id } });
    return found?.enabled.BOOL ? {
      client_id: id, client_secret: found.secrets.L[0].M.hash.S, grant_types: found.grant_types.SS,
      redirect_uris: [], response_types: [], scope: SCOPES.join(" "), token_endpoint_auth_method: "client_secret_basic",
    } : undefined;
  }

  async upsert() {}
}

const provider = new Provider(settings.issuer, {
  adapter: Adapter,
  clientDefaults: { id_token_signed_response_alg: settings.algorithm },
  enabledJWA: { idTokenSigningAlgValues: [settings.algorithm] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => settings.issuer,
      getResourceServerInfo: () => ({
        scope: SCOPES.join(" "), audience: settings.issuer, accessTokenFormat: "jwt",
        jwt: { sign: { alg: settings.algorithm } },
      }),
    },
  },
  jwks: { keys: [{ ...key.export({ format: "jwk" }), alg: settings.algorithm, use: "sig", kid: "1" }] },
  routes: { token: "/oauth/token" },
  scopes: SCOPES,
  ttl: { ClientCredentials: 43_200 },
});
provider.Client.prototype.compareClientSecret = function (secret) {
  return isSecret(this.clientSecret, secret);
};

serve(createServer(provider.callback()));
