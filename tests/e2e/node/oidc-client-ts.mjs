// The example of oidc-client-ts in Chromium: an application at another site than the API.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { close, ended, files, newContext, settings, shown, signIn } from './login-flow.mjs'

const { api, scenario, userinfo } = settings
const APP = 'https://shop.example'
const IMPORTS = { 'oidc-client-ts': '/oidc-client-ts.js', 'jwt-decode': '/jwt-decode.js' }

const script = async (path) => ({ type: 'text/javascript', text: await readFile(`tests/e2e/node/node_modules/${path}`, 'utf8') })
files['/oidc-client-ts.js'] = await script('oidc-client-ts/dist/esm/oidc-client-ts.js')
files['/jwt-decode.js'] = await script('jwt-decode/build/esm/index.js')
files['/app.js'] = {
  type: 'text/javascript',
  text: `const issuer = ${JSON.stringify(api)}, clientId = 'shop-web'\n${settings.example}
Object.assign(window, { manager, getUser, logIn, logInWithPopup, signOut })`,
}
files['/'] = files['/callback'] = {
  type: 'text/html',
  text: `<title>Shop</title><script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script><script type="module" src="/app.js"></script>`,
}

const context = await newContext()
const page = await context.newPage()
const messages = []
page.on('console', (message) => messages.push(message.text()))
page.on('pageerror', (error) => messages.push(error))
const requests = []
context.on('request', (request) => requests.push(`${request.method()} ${request.url().split('?')[0]} ${request.postData() ?? ''}`))

/** Opens the application without a page of its own. */
async function open() {
  await page.goto(`${APP}/`)
  await page.waitForFunction(() => window.manager)
}

/** Waits until the application has a user, with another access token. Returns the user. */
async function loggedIn(token) {
  await page.waitForURL(`${APP}/`)
  await page.waitForFunction(() => window.getUser)
  for (const end = Date.now() + 60_000; Date.now() < end; await page.waitForTimeout(100)) {
    const user = await page.evaluate(async () => ({ ...await window.getUser() }))
    if (!user.access_token || user.access_token === token) continue
    for (const [claim, value] of Object.entries(userinfo)) assert.deepEqual(user.profile[claim], value, claim)
    return user
  }
  assert.fail('there is no user, or no other access token')
}

async function logIn() {
  await open()
  await page.evaluate(() => void window.logIn())
  await signIn(page)
  return loggedIn()
}

const scenarios = {
  async redirect() {
    const user = await logIn()
    const left = page.waitForResponse((response) => response.url().startsWith(`${api}/oauth/logout`))
    await page.evaluate(() => void window.signOut())
    assert.equal((await left).status(), 303)
    await page.waitForURL(`${APP}/`)
    await page.waitForFunction(() => window.manager)
    await ended('shop-web', user)
    assert.equal(await page.evaluate(() => window.getUser()), null)
    // The browser session is over: the next login needs a password.
    await page.evaluate(() => void window.logIn())
    await shown(page, 'login')
  },

  async popup() {
    await open()
    const opened = context.waitForEvent('page')
    await page.evaluate(() => void window.logInWithPopup())
    const popup = await opened
    const closed = popup.waitForEvent('close')
    await signIn(popup)
    await closed
    await loggedIn()
  },

  async renewal() {
    const user = await logIn()
    requests.length = 0
    // The library refreshes five seconds after the login.
    const renewed = await loggedIn(user.access_token)
    await page.evaluate(() => window.manager.signinSilent())
    const last = await loggedIn(renewed.access_token)
    assert.equal(new Set([user, renewed, last].map(({ refresh_token }) => refresh_token)).size, 3)
    assert.equal(new Set([user, renewed, last].map(({ id_token }) => id_token)).size, 3)
    // Without an iframe: by the refresh token only.
    const exchanges = requests.filter((line) => line.includes('/oauth/token'))
    assert.ok(exchanges.length >= 2 && exchanges.every((line) => line.includes('grant_type=refresh_token')))
    assert.deepEqual(requests.filter((line) => line.includes('/oauth/authorize')), [])
  },
}

try {
  await scenarios[scenario]()
  assert.deepEqual(messages, [])
  console.log(JSON.stringify({ passed: scenario }))
} finally {
  await close()
}
