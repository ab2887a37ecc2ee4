// Uses every grant with credentials in the header and in the body, as a form and as JSON, with simple-oauth2.
import { ClientCredentials, ResourceOwnerPassword } from 'simple-oauth2'

const { tokenUrl, service, application, user, scope } = JSON.parse(process.env.COUNTERSIGN)
const { origin, pathname } = new URL(tokenUrl)
const responses = []

for (const options of [
  { authorizationMethod: 'header', bodyFormat: 'form' },
  { authorizationMethod: 'body', bodyFormat: 'form' },
  { authorizationMethod: 'body', bodyFormat: 'json' },
]) {
  const configure = (client) => ({ client, auth: { tokenHost: origin, tokenPath: pathname }, options })
  responses.push((await new ClientCredentials(configure(service)).getToken({ scope })).token)

  const login = await new ResourceOwnerPassword(configure(application)).getToken({ ...user, scope })
  responses.push(login.token, (await login.refresh()).token)
}
console.log(JSON.stringify(responses))
