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

/** Waits until the application has a user. Returns the user. */
async function loggedIn() {
  await page.waitForURL(`${APP}/`)
  await page.waitForFunction(async () => window.getUser && await window.getUser())
  const user = await page.evaluate(async () => ({ ...await window.getUser() }))
  for (const [claim, value] of Object.entries(userinfo)) assert.deepEqual(user.profile[claim], value, claim)
  return user
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
    await page.evaluate(() => void window.signOut())
    await page.waitForURL((url) => url.href.startsWith(`${APP}/?state=`))
    await ended('shop-web', user)
    await page.waitForFunction(() => window.manager)
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
    const renewed = async (action) => {
      const before = (await loggedIn()).access_token
      await action()
      await page.waitForFunction(async (token) => (await window.getUser())?.access_token !== token, before)
    }
    // The library refreshes five seconds after the login.
    await renewed(() => {})
    await renewed(() => page.evaluate(() => window.manager.signinSilent()))
    const { refresh_token, id_token } = await loggedIn()
    assert.notEqual(refresh_token, user.refresh_token)
    assert.notEqual(id_token, user.id_token)
    // Without an iframe: by the refresh token only.
    const token = requests.filter((line) => line.includes('/oauth/token'))
    assert.ok(token.length >= 2 && token.every((line) => line.includes('grant_type=refresh_token')), token.join('\n'))
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
