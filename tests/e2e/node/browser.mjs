// Uses the browser application of examples/ in Chromium, and attacks it from pages of other origins and sites.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { TIMEOUT, launch, takePicture } from './chromium.mjs'

const { api, chromium: executablePath, client, user, pages, screenshots, scenario } = JSON.parse(process.env.COUNTERSIGN)
const EXAMPLE = 'examples/browser-app'
const COOKIE = `__Host-Http-countersign-${client}`
// Ports do not separate sites: pages of both ports of `localhost` get the cookie. 127.0.0.1 is another site.
const APP = `http://localhost:${pages.app}`
const OTHER_ORIGIN = `http://localhost:${pages.other}`
const OTHER_SITE = `http://127.0.0.1:${pages.other}`
const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' }
const FORGED = 'cs_rt_AX90mCQvZJul3IYtAc6P9N4AAAAAwEFEhc_bWopUpUhlWX3inI0THxytl1nJT86f2SpIpr0'

const servers = []

function serve(port, handle) {
  const server = createServer((request, response) => handle(request, response).catch(() => response.writeHead(404).end()))
  servers.push(server)
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
}

/** Serves the example, for this API and this client. */
async function example(request, response) {
  const path = new URL(request.url, APP).pathname
  const file = path === '/' ? 'index.html' : path.slice(1)
  const text = await readFile(join(EXAMPLE, file), 'utf8')
  const ours = text.replace("'http://localhost:9000'", JSON.stringify(api)).replace("'demo-browser'", JSON.stringify(client))
  response.writeHead(200, { 'content-type': TYPES[extname(file)] }).end(ours)
}

/** Serves an empty page, which sets the cookie of the query. */
async function empty(request, response) {
  const cookie = new URL(request.url, OTHER_ORIGIN).searchParams.get('cookie')
  const headers = { 'content-type': 'text/html' }
  response.writeHead(200, cookie ? { ...headers, 'set-cookie': cookie } : headers).end('<title>Other</title>')
}

await serve(pages.app, example)
await serve(pages.other, empty)
const browser = await launch(executablePath)
const context = await browser.newContext({ viewport: { width: 720, height: 520 } })
context.setDefaultTimeout(TIMEOUT)

async function open(url) {
  const page = await context.newPage()
  await page.goto(url)
  return page
}

/** Returns the stored cookie, if there is one. */
async function stored() {
  const cookies = (await context.cookies()).filter(({ name }) => name.toLowerCase() === COOKIE.toLowerCase())
  assert.ok(cookies.length < 2)
  return cookies[0]
}

async function logIn() {
  const page = await open(APP)
  await page.fill('#username', user.username)
  await page.fill('#password', user.password)
  await page.click('#login button')
  await page.waitForSelector('#session:not([hidden])')
  return page
}

const isLoggedIn = (page) => page.waitForSelector('#session:not([hidden])')
const isLoggedOut = (page) => page.waitForSelector('#login:not([hidden])')
const picture = (page, name) => takePicture(page, join(screenshots, `${name}.png`))

/** Sends a POST from a page. Returns what the page sees, the cookies that Chromium sent, and the status of the response. */
async function send(page, path, params, asJson) {
  // Playwright hides the response if the page may not read it. The DevTools protocol does not.
  const network = await context.newCDPSession(page)
  const sent = {}
  const record = (requestId, values) => { sent[requestId] = { ...sent[requestId], ...values } }
  network.on('Network.requestWillBeSent', ({ requestId, request }) => record(requestId, { isPost: request.method === 'POST' }))
  network.on('Network.requestWillBeSentExtraInfo', ({ requestId, headers }) => record(requestId, { cookie: headers.Cookie ?? '' }))
  network.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode }) => record(requestId, { status: statusCode }))
  await network.send('Network.enable')
  const seen = await page.evaluate(async ([url, params, asJson]) => {
    const headers = asJson ? { 'content-type': 'application/json' } : {}
    const body = asJson ? JSON.stringify(params) : new URLSearchParams(params)
    const response = await fetch(url, { method: 'POST', credentials: 'include', headers, body }).catch((error) => error.name)
    return response.status ?? response
  }, [api + path, params, asJson])
  await page.waitForTimeout(100)
  await network.detach()
  return { seen, ...Object.values(sent).find(({ isPost }) => isPost) }
}

/** Submits an HTML form from a page, which navigates to the response. */
async function submit(page, path, params) {
  const navigated = page.waitForResponse(api + path)
  await page.evaluate(([url, params]) => {
    const form = Object.assign(document.createElement('form'), { action: url, method: 'post' })
    for (const [name, value] of Object.entries(params)) {
      form.append(Object.assign(document.createElement('input'), { name, value }))
    }
    document.body.append(form)
    form.submit()
  }, [api + path, params])
  const response = await navigated
  return { cookie: (await response.request().allHeaders()).cookie ?? '', status: response.status() }
}

const REFRESH = { client_id: client, grant_type: 'refresh_token' }
const LOGIN = { client_id: client, grant_type: 'password', ...user }

/** Attacks from a page whose origin is not the client's. No request has an effect, and the page reads nothing. */
async function attackFrom(url, sendsCookie) {
  const app = await logIn()
  const before = await stored()
  for (const [path, params] of [['/oauth/token', REFRESH], ['/oauth/token', LOGIN], ['/oauth/revoke', { client_id: client }]]) {
    const page = await open(url)
    for (const asJson of [false, true]) {
      const { seen, cookie, status } = await send(page, path, params, asJson)
      assert.deepEqual([seen, status, cookie.includes(before.value)], ['TypeError', 401, sendsCookie])
    }
    const { cookie, status } = await submit(page, path, params)
    assert.equal(status, 401)
    assert.equal(cookie.includes(before.value), sendsCookie)
    await picture(page, scenario)
    await page.close()
  }
  assert.deepEqual(await stored(), before)
  await app.reload()
  await isLoggedIn(app)
}

const scenarios = {
  async login() {
    const page = await open(APP)
    const response = async (action) => {
      const received = page.waitForResponse(`${api}/oauth/token`)
      await action()
      return (await received).text()
    }
    await page.fill('#username', user.username)
    await page.fill('#password', user.password)
    const bodies = [await response(() => page.click('#login button'))]
    await isLoggedIn(page)
    await picture(page, 'login')
    const { value, domain, path, httpOnly, secure, sameSite, expires } = await stored()
    assert.deepEqual([domain, path, httpOnly, secure, sameSite], ['localhost', '/', true, true, 'Strict'])
    assert.ok(Math.abs(expires - Date.now() / 1000 - 2_592_000) < 60)
    const readable = await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length])
    assert.deepEqual(readable, ['', 0, 0])
    bodies.push(await response(() => page.click('#refresh')))
    assert.notEqual((await stored()).value, value)
    for (const body of bodies) assert.ok(body.includes('access_token') && !body.includes('refresh_token') && !body.includes('cs_rt_'))
    await page.reload()
    await isLoggedIn(page)
  },

  async wrong_password() {
    const page = await open(APP)
    await page.fill('#username', user.username)
    await page.fill('#password', 'wrong')
    await page.click('#login button')
    await page.getByText('The username or the password is wrong.').waitFor()
    await picture(page, 'wrong_password')
    assert.equal(await stored(), undefined)
  },

  async tabs() {
    const first = await logIn()
    const second = await open(APP)
    await isLoggedIn(second)
    // Without the lock of the example.
    const refresh = (page) => page.evaluate(async ([url, params]) => {
      const body = new URLSearchParams(params)
      const response = await fetch(url, { method: 'POST', credentials: 'include', body })
      return [response.status, (await response.json()).access_token]
    }, [`${api}/oauth/token`, REFRESH])
    for (let round = 0; round < 5; round++) {
      const results = await Promise.all([first, second, first, second].map(refresh))
      assert.deepEqual(results.map(([status]) => status), [200, 200, 200, 200])
      assert.equal(new Set(results.map(([, token]) => token)).size, 4)
    }
    // With the lock.
    await Promise.all([first.reload(), second.reload()])
    await Promise.all([isLoggedIn(first), isLoggedIn(second)])
    // A page that goes away during a refresh.
    const third = await open(APP)
    await third.evaluate(() => void document.getElementById('refresh').click())
    await third.close()
    await first.reload()
    await isLoggedIn(first)
  },

  async log_out() {
    const first = await logIn()
    const second = await open(APP)
    await isLoggedIn(second)
    const before = await stored()
    await first.click('#logout')
    await Promise.all([isLoggedOut(first), isLoggedOut(second)])
    await picture(first, 'log_out')
    assert.equal(await stored(), undefined)
    await first.reload()
    await isLoggedOut(first)
    // The login is over, not only the cookie.
    await context.addCookies([before])
    await first.reload()
    await isLoggedOut(first)
    assert.equal(await stored(), undefined)
  },

  async json() {
    const page = await logIn()
    const before = await stored()
    assert.equal((await send(page, '/oauth/token', REFRESH, true)).seen, 200)
    assert.notEqual((await stored()).value, before.value)
  },

  other_origin: () => attackFrom(OTHER_ORIGIN, true),
  other_site: () => attackFrom(OTHER_SITE, false),

  async planted_cookie() {
    const attributes = 'Path=/; Secure; SameSite=Strict'
    const page = await open(OTHER_ORIGIN)
    for (const cookie of [`${COOKIE}=x; ${attributes}`, `=${COOKIE}=x; ${attributes}`, `${COOKIE}=x`, `${COOKIE.toUpperCase()}=x; ${attributes}`]) {
      await page.evaluate((cookie) => { document.cookie = cookie }, cookie)
      assert.equal(await page.evaluate(() => document.cookie), '', `a script set ${cookie}`)
    }
    const planted = (host, cookie) => open(`http://${host}:${pages.other}/?cookie=${encodeURIComponent(cookie)}`)
    await planted('sub.localhost', `${COOKIE}=x; ${attributes}; HttpOnly; Domain=localhost`)
    await planted('localhost', `${COOKIE}=x; ${attributes}; HttpOnly; Domain=localhost`)
    await planted('localhost', `${COOKIE}=x; Secure; HttpOnly; Path=/oauth`)
    assert.equal(await stored(), undefined)
    // A server on another port of the same host can set the cookie. A forged token is no login, and is deleted.
    await planted('localhost', `${COOKIE}=${FORGED}; ${attributes}; HttpOnly`)
    assert.equal((await stored()).value, FORGED)
    const app = await open(APP)
    await isLoggedOut(app)
    await picture(app, 'planted_cookie')
    assert.equal(await stored(), undefined)
  },
}

try {
  await scenarios[scenario]()
  console.log(JSON.stringify({ passed: scenario }))
} finally {
  await browser.close()
  servers.forEach((server) => server.close())
}
