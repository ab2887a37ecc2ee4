// Introspects, revokes and introspects again, with openid-client and with oauth4webapi, with both methods of client
// authentication. Both libraries find the endpoints in the metadata.
import * as openid from 'openid-client'
import * as oauth from 'oauth4webapi'

const { issuer, application, service, user } = JSON.parse(process.env.COUNTERSIGN)
const url = new URL(issuer)

/** openid-client: the functions of a client of the issuer. */
async function withOpenidClient({ id, secret }, authentication) {
  const options = { execute: [openid.allowInsecureRequests] }
  const config = await openid.discovery(url, id, secret, openid[authentication](secret), options)
  return {
    fetchToken: (grant, params) => openid.genericGrantRequest(config, grant, params),
    introspect: (token) => openid.tokenIntrospection(config, token),
    revoke: (token) => openid.tokenRevocation(config, token),
  }
}

/** oauth4webapi: the same functions. */
async function withOauth4webapi({ id, secret }, authentication) {
  const http = { [oauth.allowInsecureRequests]: true }
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, http))
  const client = { client_id: id }
  const proof = oauth[authentication](secret)
  return {
    async fetchToken(grant, params) {
      const response = await oauth.genericTokenEndpointRequest(server, client, proof, grant, params, http)
      return oauth.processGenericTokenEndpointResponse(server, client, response)
    },
    async introspect(token) {
      const response = await oauth.introspectionRequest(server, client, proof, token, http)
      return oauth.processIntrospectionResponse(server, client, response)
    },
    async revoke(token) {
      await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, token, http))
    },
  }
}

const results = []
for (const connect of [withOpenidClient, withOauth4webapi]) {
  for (const authentication of ['ClientSecretBasic', 'ClientSecretPost']) {
    const app = await connect(application, authentication)
    const machine = await connect(service, authentication)
    const login = await app.fetchToken('password', user)
    const { access_token: own } = await machine.fetchToken('client_credentials', {})

    const error = await machine.revoke(login.refresh_token).then(() => undefined, (error) => error)
    if (error?.error !== 'invalid_grant' || error.status !== 400) throw new Error(`not rejected: ${error}`)
    const tokens = [[app, login.access_token], [app, login.refresh_token], [machine, own]]
    const introspect = () => Promise.all(tokens.map(([client, token]) => client.introspect(token)))
    const before = await introspect()
    await app.revoke(login.refresh_token)
    await machine.revoke(own)
    results.push({ before, after: await introspect() })
  }
}
console.log(JSON.stringify(results))
