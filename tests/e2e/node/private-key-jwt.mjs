// Gets tokens with openid-client, which proves the client by a signed assertion and binds the token to a key.
import { importJWK } from 'jose'
import * as client from 'openid-client'

const { issuer, clients } = JSON.parse(process.env.COUNTERSIGN)
const results = []
for (const { id, jwk } of clients) {
  const method = client.PrivateKeyJwt({ key: await importJWK(jwk, jwk.alg), kid: jwk.kid })
  const options = { execute: [client.allowInsecureRequests] }
  const config = await client.discovery(new URL(issuer), id, undefined, method, options)
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  const tokens = await client.clientCredentialsGrant(config, { scope: 'demo:read' }, { DPoP })
  results.push({ tokens, jkt: await DPoP.calculateThumbprint() })
}
console.log(JSON.stringify(results))
