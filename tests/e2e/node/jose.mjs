// Verifies tokens with jose as a resource server would.
import { importJWK, jwtVerify } from 'jose'

const { jwk, issuer, audience, tokens } = JSON.parse(process.env.COUNTERSIGN)
const key = await importJWK(jwk, 'RS256')
const rules = { issuer, audience, typ: 'at+jwt', algorithms: ['RS256'], requiredClaims: ['sub', 'exp', 'jti'] }

for (const token of tokens) {
  await jwtVerify(token, key, rules)
  // A changed character of the signature must be rejected.
  const at = token.length - 20
  const forged = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
  const error = await jwtVerify(forged, key, rules).then(() => undefined, (error) => error)
  if (error?.code !== 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED') throw new Error(`not rejected: ${error}`)
}
console.log(tokens.length)
