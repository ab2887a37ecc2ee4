// Uses every grant with both methods of client authentication, with openid-client.
import * as client from 'openid-client'

const { tokenUrl, issuer, service, application, user, scope } = JSON.parse(process.env.COUNTERSIGN)
const responses = []

for (const authentication of [client.ClientSecretBasic, client.ClientSecretPost]) {
  const configure = ({ id, secret }) => {
    const config = new client.Configuration({ issuer, token_endpoint: tokenUrl }, id, secret, authentication(secret))
    client.allowInsecureRequests(config)
    return config
  }
  responses.push(await client.clientCredentialsGrant(configure(service), { scope }))

  const config = configure(application)
  const login = await client.genericGrantRequest(config, 'password', { ...user, scope })
  responses.push(login, await client.refreshTokenGrant(config, login.refresh_token))

  const wrong = client.genericGrantRequest(config, 'password', { ...user, password: 'wrong', scope })
  const error = await wrong.then(() => undefined, (error) => error)
  if (error?.error !== 'invalid_grant' || error.status !== 400) throw new Error(`not rejected: ${error}`)
}
console.log(JSON.stringify(responses))
