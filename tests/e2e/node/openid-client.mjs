// Every grant, with both ways of client authentication, by openid-client.
import * as client from 'openid-client'

const { tokenUrl, issuer, service, application, user, scope } = JSON.parse(process.env.COUNTERSIGN)
const answers = []

for (const authentication of [client.ClientSecretBasic, client.ClientSecretPost]) {
  const configure = ({ id, secret }) => {
    const config = new client.Configuration({ issuer, token_endpoint: tokenUrl }, id, secret, authentication(secret))
    client.allowInsecureRequests(config)
    return config
  }
  answers.push(await client.clientCredentialsGrant(configure(service), { scope }))

  const config = configure(application)
  const login = await client.genericGrantRequest(config, 'password', { ...user, scope })
  answers.push(login, await client.refreshTokenGrant(config, login.refresh_token))

  const wrong = client.genericGrantRequest(config, 'password', { ...user, password: 'wrong', scope })
  const refusal = await wrong.then(() => undefined, (error) => error)
  if (refusal?.error !== 'invalid_grant' || refusal.status !== 400) throw new Error(`not refused: ${refusal}`)
}
console.log(JSON.stringify(answers))
