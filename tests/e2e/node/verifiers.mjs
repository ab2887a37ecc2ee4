// Two resource servers, with jose and aws-jwt-verify, each with its own cache of the keys. Reads a token from each line
// of stdin, and prints the errors of its verification as JSON, until stdin closes.
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { JwtVerifier } from 'aws-jwt-verify'
import { SimpleJwksCache } from 'aws-jwt-verify/jwk'

const { issuer, jwksUrl, maxAge } = JSON.parse(process.env.COUNTERSIGN)

const keySet = createRemoteJWKSet(new URL(jwksUrl), { cacheMaxAge: maxAge * 1000, cooldownDuration: 1000 })
const verifyWithJose = (token) =>
  jwtVerify(token, keySet, { issuer, audience: issuer, typ: 'at+jwt', algorithms: ['RS256'], requiredClaims: ['exp'] })

// The default fetcher accepts only https.
const fetcher = { fetch: async (uri) => (await fetch(uri)).arrayBuffer() }
const verifier = JwtVerifier.create(
  { issuer, audience: issuer, jwksUri: jwksUrl },
  { jwksCache: new SimpleJwksCache({ fetcher }) },
)
const verifyWithAws = (token) => verifier.verify(token)

for await (const token of createInterface({ input: process.stdin })) {
  const errors = []
  for (const [name, verify] of [['jose', verifyWithJose], ['aws-jwt-verify', verifyWithAws]]) {
    await verify(token).catch((error) => errors.push(`${name}: ${error}`))
  }
  console.log(JSON.stringify(errors))
}
