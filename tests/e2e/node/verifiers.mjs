// Two resource servers that go on for as long as tokens come: one by jose, one by aws-jwt-verify, each with its own cache
// of the keys. For each line, a token, they say what they find.
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { JwtVerifier } from 'aws-jwt-verify'
import { SimpleJwksCache } from 'aws-jwt-verify/jwk'

const { issuer, jwksUrl, maxAge } = JSON.parse(process.env.COUNTERSIGN)

const keySet = createRemoteJWKSet(new URL(jwksUrl), { cacheMaxAge: maxAge * 1000, cooldownDuration: 1000 })
const byJose = (token) =>
  jwtVerify(token, keySet, { issuer, audience: issuer, typ: 'at+jwt', algorithms: ['RS256'], requiredClaims: ['exp'] })

// Its own way to fetch takes https alone.
const fetcher = { fetch: async (uri) => (await fetch(uri)).arrayBuffer() }
const verifier = JwtVerifier.create(
  { issuer, audience: issuer, jwksUri: jwksUrl },
  { jwksCache: new SimpleJwksCache({ fetcher }) },
)
const byAws = (token) => verifier.verify(token)

for await (const token of createInterface({ input: process.stdin })) {
  const faults = []
  for (const [name, verify] of [['jose', byJose], ['aws-jwt-verify', byAws]]) {
    await verify(token).catch((error) => faults.push(`${name}: ${error}`))
  }
  console.log(JSON.stringify(faults))
}
