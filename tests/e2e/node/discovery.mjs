// Finds the token endpoint in both metadata documents with openid-client, and gets a token from it.
import * as client from 'openid-client'

const { issuer, id, secret } = JSON.parse(process.env.COUNTERSIGN)
const endpoints = []
const wellKnown = '/.well-known/oauth-authorization-server'
// RFC 8414 inserts the well-known name before the path of the issuer. A local cloud serves the API below a path, and not
// at that URL, so this fetches the same document below the issuer.
const customFetch = (url, options) => fetch(url.includes(wellKnown) ? issuer + wellKnown : url, options)

for (const algorithm of ['oidc', 'oauth2']) {
  const options = { algorithm, execute: [client.allowInsecureRequests], [client.customFetch]: customFetch }
  const config = await client.discovery(new URL(issuer), id, secret, undefined, options)
  await client.clientCredentialsGrant(config)
  endpoints.push(config.serverMetadata().token_endpoint)
}
console.log(JSON.stringify(endpoints))
