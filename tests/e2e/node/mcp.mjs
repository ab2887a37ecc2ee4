// Connects to an MCP server with a secret and with a key, with the SDK of MCP. Prints the names of the server.
import { Client, ClientCredentialsProvider, PrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

const { url, issuer, id, secret, key } = JSON.parse(process.env.COUNTERSIGN)
const identity = { clientId: id, expectedIssuer: issuer }
const connected = []
for (const authProvider of [
  new ClientCredentialsProvider({ ...identity, clientSecret: secret }),
  new PrivateKeyJwtProvider({ ...identity, privateKey: key, algorithm: 'ES256' }),
]) {
  const client = new Client({ name: id, version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }))
  connected.push(client.getServerVersion().name)
  await client.close()
}
console.log(JSON.stringify(connected))
