// A browser, the clients to which it returns, and the steps of a login at our pages.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer as createPlainServer } from 'node:http'
import { createServer } from 'node:https'
import { TIMEOUT, launch, takePicture } from './chromium.mjs'

export const settings = JSON.parse(process.env.COUNTERSIGN)
const { api, clients, screenshots, scenario, password } = settings
export const { users } = settings
export const [user] = users

const AXE = await readFile(settings.axe, 'utf8')
const SECURE_HOSTS = ['portal.example', 'crm.example', 'shop.example', 'evil.example']
const EMPTY = { type: 'text/html', text: '<title>Client</title><p>The client</p>' }
const LOOKS = ['light', 'dark'].flatMap((colorScheme) => [1000, 320].map((width) => ({ colorScheme, width })))

/** What the servers of the clients received. */
export const received = []

/** The files of a browser application, by path. */
export const files = {}

/** Serves the redirect URIs of all clients, a page from which an attacker acts, and the files. */
function receive(request, response) {
  received.push({ url: request.url, referer: request.headers.referer })
  const { type, text } = files[request.url.split('?')[0]] ?? EMPTY
  response.writeHead(200, { 'content-type': type }).end(text)
}

const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))
const servers = [createServer(settings.certificate, receive), createPlainServer(receive)]
const [securePort, loopbackPort] = await Promise.all(servers.map(listen))
/** A redirect URI of a native application, which listens on any free port. */
export const LOOPBACK = `http://127.0.0.1:${loopbackPort}/callback`

const rules = SECURE_HOSTS.map((host) => `MAP ${host}:443 127.0.0.1:${securePort}`).join(',')
const browser = await launch(settings.chromium, `--host-resolver-rules=${rules}`)

export async function close() {
  await browser.close()
  servers.forEach((server) => server.close())
}

/** Returns a browser session without cookies. */
export async function newContext(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB', viewport: { width: 1000, height: 700 }, ...options })
  context.setDefaultTimeout(TIMEOUT)
  return context
}

/** Returns an authorization request, with the verifier for its exchange. */
export function authorization(client, params = {}) {
  const verifier = randomBytes(32).toString('base64url')
  const request = {
    client_id: clients[client].client_id, redirect_uri: clients[client].redirect_uris[0], response_type: 'code',
    scope: 'openid legacy:autonomy.read', state: randomBytes(8).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...params,
  }
  return { client, request, verifier, url: `${api}/oauth/authorize?${new URLSearchParams(request)}` }
}

/** Begins a flow in a page. Returns the authorization request. */
export async function begin(page, client, params) {
  const flow = authorization(client, params)
  await page.goto(flow.url)
  return flow
}

export const shown = (page, name) => page.waitForSelector(`[data-page="${name}"]`)
export const problem = (page, name) => page.waitForSelector(`[data-error="${name}"]`)

export async function signIn(page, username = user, typed = password) {
  await shown(page, 'login')
  await page.fill('#username', username)
  await page.fill('#password', typed)
  await page.click('#sign-in')
}

export async function grant(page, period) {
  await shown(page, 'consent')
  if (period) await page.selectOption('#for', period)
  await page.click('#grant')
}

/** Signs the user in at the account page. */
export async function openAccount(page) {
  await page.goto(`${api}/account`)
  if (await page.locator('[data-page=login]').count() > 0) await signIn(page)
  await shown(page, 'account')
}

/** Waits until the browser is at the client. Returns the parameters of the response. */
export async function returned(page, { request }) {
  const { redirect_uri, state } = request
  await page.waitForURL(({ href, searchParams }) => href.startsWith(`${redirect_uri}?`) && searchParams.get('state') === state)
  const params = Object.fromEntries(new URL(page.url()).searchParams)
  assert.equal(params.iss, settings.issuer)
  return params
}

export async function rejected(page, flow, error) {
  assert.equal((await returned(page, flow)).error, error)
}

/** Sends a token request without a client library. Returns the status and the body. */
async function token(client, params) {
  const { client_id, secrets } = clients[client]
  const body = new URLSearchParams({ client_id, ...params })
  if (secrets) body.set('client_secret', secrets[0].secret)
  const response = await fetch(`${api}/oauth/token`, { method: 'POST', body })
  return { status: response.status, ...await response.json() }
}

export const exchange = (code, { client, request, verifier }) =>
  token(client, { grant_type: 'authorization_code', code, redirect_uri: request.redirect_uri, code_verifier: verifier })

export const refresh = (client, { refresh_token }) => token(client, { grant_type: 'refresh_token', refresh_token })

/** Waits until the browser is at the client, and exchanges the code. Returns the token response. */
export async function tokens(page, flow) {
  const { code } = await returned(page, flow)
  assert.match(code, /^cs_ac_[\w-]{66}$/)
  const response = await exchange(code, flow)
  assert.equal(response.status, 200, JSON.stringify(response))
  return response
}

/** Signs in, allows access if the page of it is due, and returns the flow and its tokens. */
export async function complete(page, client, params, period) {
  const flow = await begin(page, client, params)
  if (await page.locator('[data-page=login]').count() > 0) await signIn(page)
  await page.waitForURL((url) => !url.pathname.endsWith('/oauth/login'))
  if (await page.locator('[data-page=consent]').count() > 0) await grant(page, period)
  return { flow, response: await tokens(page, flow) }
}

/** Asserts that the login is over: its refresh token is rejected. */
export async function ended(client, response) {
  const { status, error } = await refresh(client, response)
  assert.deepEqual([status, error], [400, 'invalid_grant'])
}

export async function valid(client, response) {
  const next = await refresh(client, response)
  assert.equal(next.status, 200, JSON.stringify(next))
  return next
}

export const claims = ({ access_token }) => JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url'))

/** Returns the session cookie, if there is one. */
export const sessionCookie = async (context) => (await context.cookies(api)).find(({ name }) => name === '__Host-session')

/** Checks the accessibility of the page that is shown, in both themes and in two widths, and takes a picture of each. */
export async function inspect(page, name) {
  const size = page.viewportSize()
  for (const { colorScheme, width } of LOOKS) {
    const place = `${name} ${colorScheme} ${width}`
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 700 })
    await page.evaluate(AXE)
    const { violations } = await page.evaluate(() => globalThis.axe.run())
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], place)
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, place)
    assert.equal(await page.evaluate(() => document.scripts.length), 0, place)
    await takePicture(page, `${screenshots}/login-${scenario}-${name}-${colorScheme}-${width}.png`, { fullPage: true })
  }
  await page.emulateMedia({ colorScheme: null })
  await page.setViewportSize(size)
}

/** Presses Tab until an element has the focus. */
export async function tabTo(page, selector) {
  for (let stop = 0; stop < 20; stop += 1) {
    if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return
    await page.keyboard.press('Tab')
  }
  assert.fail(`the Tab key does not reach ${selector}`)
}

/** Submits an HTML form from the page that is shown. Returns the response. */
export async function submit(page, path, params) {
  const navigated = page.waitForResponse((response) => response.url() === api + path)
  await page.evaluate(([url, params]) => {
    const form = Object.assign(document.createElement('form'), { action: url, method: 'post' })
    for (const [name, value] of Object.entries(params)) {
      form.append(Object.assign(document.createElement('input'), { name, value }))
    }
    document.body.append(form)
    form.submit()
  }, [api + path, params])
  return navigated
}
