// Finds the token endpoint in both documents, and gets a token there, by openid-client.
import * as client from 'openid-client'

const { issuer, id, secret } = JSON.parse(process.env.COUNTERSIGN)
const found = []
const wellKnown = '/.well-known/oauth-authorization-server'
// RFC 8414 inserts the well-known name before the issuer's path. A local cloud serves the API below a path, so that URL does
// not lead to the API there; the same document is at the issuer itself.
const customFetch = (url, options) => fetch(url.includes(wellKnown) ? issuer + wellKnown : url, options)

for (const algorithm of ['oidc', 'oauth2']) {
  const options = { algorithm, execute: [client.allowInsecureRequests], [client.customFetch]: customFetch }
  const config = await client.discovery(new URL(issuer), id, secret, undefined, options)
  await client.clientCredentialsGrant(config)
  found.push(config.serverMetadata().token_endpoint)
}
console.log(JSON.stringify(found))
