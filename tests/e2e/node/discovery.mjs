// Finds the token endpoint in both documents, and gets a token there, by openid-client.
import * as client from 'openid-client'

const { issuer, id, secret } = JSON.parse(process.env.COUNTERSIGN)
const found = []

for (const algorithm of ['oidc', 'oauth2']) {
  const options = { algorithm, execute: [client.allowInsecureRequests] }
  const config = await client.discovery(new URL(issuer), id, secret, undefined, options)
  await client.clientCredentialsGrant(config)
  found.push(config.serverMetadata().token_endpoint)
}
console.log(JSON.stringify(found))
