// Gets tokens that are bound to a key with openid-client and oauth4webapi, and checks them with their proofs as an API does.
import assert from 'node:assert/strict'
import * as openid from 'openid-client'
import * as oauth from 'oauth4webapi'

const { issuer, id, secret } = JSON.parse(process.env.COUNTERSIGN)
const http = { [oauth.allowInsecureRequests]: true }
const url = new URL(issuer)
const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, http))
const client = { client_id: id }

/** Sends a bound token to an API. Returns the claims that the API verified, with the key of the proof. */
async function useAtApi(token, DPoP) {
  let claims
  const api = async (input, init) => {
    claims = await oauth.validateJwtAccessToken(server, new Request(input, init), issuer, { ...http, requireDPoP: true })
    return new Response()
  }
  const request = new URL('https://api.example/orders?year=2026')
  await oauth.protectedResourceRequest(token, 'GET', request, undefined, undefined, { DPoP, [oauth.customFetch]: api })
  return claims
}

const results = []
for (const algorithm of ['ES256', 'Ed25519']) {
  const keys = await oauth.generateKeyPair(algorithm)
  const DPoP = oauth.DPoP(client, keys)
  const fetchToken = async () => {
    const authentication = oauth.ClientSecretBasic(secret)
    const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, {}, { ...http, DPoP })
    return oauth.processClientCredentialsResponse(server, client, response)
  }
  // The first proof has no nonce. This library leaves the second request to the application.
  const error = await fetchToken().then(() => undefined, (error) => error)
  assert.ok(oauth.isDPoPNonceError(error), error)
  // Every response has the nonce of the next proof.
  for (let time = 0; time < 2; time += 1) {
    const tokens = await fetchToken()
    results.push({ tokens, claims: await useAtApi(tokens.access_token, DPoP), jkt: await DPoP.calculateThumbprint() })
  }
  const other = oauth.DPoP(client, await oauth.generateKeyPair(algorithm))
  await assert.rejects(useAtApi(results.at(-1).tokens.access_token, other))

  const config = await openid.discovery(url, id, secret, undefined, { execute: [openid.allowInsecureRequests] })
  const handle = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair(algorithm))
  const tokens = await openid.clientCredentialsGrant(config, {}, { DPoP: handle })
  const claims = await useAtApi(tokens.access_token, handle)
  results.push({ tokens, claims, jkt: await handle.calculateThumbprint() })
}
console.log(JSON.stringify(results))
