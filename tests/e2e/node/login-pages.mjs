// Uses the login pages in Chromium, as the users of first-party, third-party and native clients do.
import assert from 'node:assert/strict'
import {
  LOOPBACK, authorization, begin, claims, close, complete, ended, exchange, grant, inspect, newContext, openAccount, problem,
  received, rejected, returned, sessionCookie, settings, shown, signIn, submit, tabTo, tokens, user, users, valid,
} from './login-flow.mjs'

const { api, clients, scenario } = settings
const EVIL = 'https://evil.example/'
const DAY = 86_400

const context = await newContext({ locale: scenario.startsWith('german') ? 'de-DE' : 'en-GB' })
const page = await context.newPage()
const messages = []
// Console messages of a response with an error status are expected.
page.on('console', (message) => { if (!message.text().startsWith('Failed to load resource')) messages.push(message.text()) })

/** Returns a date in UTC, some days from today. */
const date = (days) => new Date(Date.now() + days * DAY * 1000).toISOString().slice(0, 10)
const body = (page) => page.locator('body').innerText()
const app = (page, client) => page.locator('article', { has: page.getByRole('heading', { name: clients[client].name }) })

/** Opens every page of the flows, and inspects it. */
async function walk() {
  const isGerman = scenario.startsWith('german')
  const see = async (name) => {
    assert.equal(await page.getAttribute('html', 'lang'), isGerman ? 'de' : 'en', name)
    await inspect(page, name)
  }
  const flow = await begin(page, 'crm')
  await see('login')
  await signIn(page, user, 'wrong')
  await problem(page, 'credentials')
  assert.match(await page.title(), isGerman ? /^Fehler:/ : /^Error:/)
  await see('credentials')
  await signIn(page)
  await shown(page, 'consent')
  await see('consent')
  await page.locator('#for option').first().evaluate((option) => { option.value = '1' })
  await page.selectOption('#for', '1')
  await page.click('#grant')
  await problem(page, 'for')
  await see('for')
  await grant(page)
  await tokens(page, flow)
  await begin(page, 'crm', { prompt: 'consent', scope: 'openid email legacy:autonomy.read legacy:autonomy.write' })
  await shown(page, 'consent')
  await see('more-scopes')
  await openAccount(page)
  await see('account')
  await page.fill('input[name=until]', date(-1))
  await app(page, 'crm').locator('button').first().click()
  await problem(page, 'until')
  await see('until')
  await page.goto(`${api}/oauth/logout`)
  await shown(page, 'sign-out')
  await see('sign-out')
  await page.click('#sign-out')
  await shown(page, 'signed-out')
  await see('signed-out')
  await page.goto(`${api}/account`)
  await shown(page, 'login')
  await see('login-to-account')
  for (const [name, params] of [['client', { client_id: 'unknown' }], ['redirect_uri', { redirect_uri: EVIL }], ['request', { scope: '\0' }]]) {
    const { url } = authorization('crm', params)
    await page.goto(name === 'request' ? `${url}&x=%` : url)
    await problem(page, name)
    await see(`error-${name}`)
  }
}

const scenarios = {
  async first_party() {
    const flow = await begin(page, 'portal')
    assert.equal(await sessionCookie(context), undefined)
    assert.match(await body(page), /Autonomy portal/)
    await signIn(page)
    const response = await tokens(page, flow)
    assert.equal(claims(response).sub, settings.ids[user])
    await valid('portal', response)
    const { domain, path, httpOnly, secure, sameSite, expires } = await sessionCookie(context)
    assert.deepEqual([domain, path, httpOnly, secure, sameSite, expires], [new URL(api).hostname, '/', true, true, 'Lax', -1])
    // The session signs the user in at the next request, also after a POST from the site of the client.
    await tokens(page, await begin(page, 'portal'))
    const posted = authorization('portal')
    await submit(page, '/oauth/authorize', posted.request)
    await tokens(page, posted)
    assert.deepEqual(received.filter(({ referer }) => referer?.startsWith(api)), [])
  },

  async consent() {
    const flow = await begin(page, 'crm', { scope: 'openid legacy:autonomy.read legacy:autonomy.write' })
    await signIn(page)
    await shown(page, 'consent')
    for (const text of ['Example CRM', 'crm.example', user, 'Know who you are', 'legacy:autonomy.write']) {
      assert.ok((await body(page)).includes(text), text)
    }
    assert.equal(await page.getByRole('link', { name: /privacy/i }).first().getAttribute('href'), clients.crm.policy_uri)
    await grant(page, '31536000')
    const response = await tokens(page, flow)
    assert.deepEqual(response.scope.split(' ').sort(), flow.request.scope.split(' ').sort())
    await valid('crm', response)
    // The next request for the same scope has no page, and one for another scope has.
    await tokens(page, await begin(page, 'crm'))
    const more = await begin(page, 'crm', { scope: 'openid email' })
    await shown(page, 'consent')
    assert.equal(await page.inputValue('#for'), 'keep')
    assert.equal(await page.locator('.new').count(), 1)
    await page.click('#grant')
    await tokens(page, more)
  },

  async denial() {
    const flow = await begin(page, 'crm')
    await page.click('#cancel')
    await rejected(page, flow, 'access_denied')
    const next = await begin(page, 'crm')
    await signIn(page)
    await shown(page, 'consent')
    await page.click('#deny')
    await rejected(page, next, 'access_denied')
    await openAccount(page)
    assert.equal(await page.locator('article').count(), 0)
  },

  async wrong_password() {
    const flow = await begin(page, 'portal')
    for (const [username, typed] of [[user, 'wrong'], ['unknown@itccompliance.co.uk', 'wrong']]) {
      const sent = page.waitForResponse((response) => response.request().method() === 'POST')
      await signIn(page, username, typed)
      assert.equal((await sent).status(), 422)
      await problem(page, 'credentials')
      assert.equal(await page.evaluate(() => document.activeElement.id), 'problem')
      assert.deepEqual([await page.inputValue('#username'), await page.inputValue('#password')], [username, ''])
      assert.match(await page.title(), /^Error:/)
      assert.equal(await sessionCookie(context), undefined)
    }
    await signIn(page)
    await tokens(page, flow)
  },

  async throttled() {
    const flow = await begin(page, 'portal')
    for (let guess = 0; guess < 5; guess += 1) {
      await signIn(page, user, 'wrong')
      await problem(page, 'credentials')
    }
    // The right password is not tried either, here and at the password grant.
    const sent = page.waitForResponse((response) => response.request().method() === 'POST')
    await signIn(page)
    const response = await sent
    assert.equal(response.status(), 429)
    assert.ok(Number(await response.headerValue('retry-after')) > 0)
    await problem(page, 'throttled')
    assert.match(await body(page), /Too many attempts\. Try again in \d+ seconds\./)
    await inspect(page, 'throttled')
    assert.equal(await sessionCookie(context), undefined)
    await page.click('#cancel')
    await rejected(page, flow, 'access_denied')
  },

  async back_button() {
    const flow = await begin(page, 'crm')
    await signIn(page)
    await shown(page, 'consent')
    await page.goBack()
    // The user is signed in, so the request continues.
    await shown(page, 'consent')
    await page.goForward()
    await grant(page)
    await tokens(page, flow)
    await page.goBack()
    // The user allowed access, so the client gets a new code.
    await tokens(page, flow)
  },

  async reload() {
    const flow = await begin(page, 'crm')
    await page.reload()
    await signIn(page, user, 'wrong')
    await problem(page, 'credentials')
    await page.reload()
    await problem(page, 'credentials')
    // The address of the form opens the page of the request.
    await page.goto(page.url())
    await shown(page, 'login')
    assert.equal(await page.locator('[data-error]').count(), 0)
    await signIn(page)
    await shown(page, 'consent')
    await page.reload()
    await grant(page)
    const first = await returned(page, flow)
    await page.reload()
    assert.equal((await exchange(first.code, flow)).status, 200)
    const again = await exchange(first.code, flow)
    assert.deepEqual([again.status, again.error], [400, 'invalid_grant'])
  },

  async two_tabs() {
    const second = await context.newPage()
    const flows = [await begin(page, 'crm'), await begin(second, 'portal')]
    await signIn(page)
    await shown(page, 'consent')
    await signIn(second)
    await tokens(second, flows[1])
    // The second login renewed the session, so the page of the first tab still counts.
    await grant(page)
    await tokens(page, flows[0])
    // Another user signs in in the second tab. The first tab shows it before anything is granted.
    const third = await begin(page, 'crm', { prompt: 'consent' })
    await shown(page, 'consent')
    await begin(second, 'portal', { prompt: 'login' })
    await signIn(second, users[1])
    await second.waitForURL((url) => url.hostname === 'portal.example')
    await grant(page)
    await page.getByText(users[1]).waitFor()
    await grant(page)
    assert.equal(claims(await tokens(page, third)).sub, settings.ids[users[1]])
  },

  async end_date() {
    const { response } = await complete(page, 'crm')
    await openAccount(page)
    const until = app(page, 'crm').locator('input[name=until]')
    const save = app(page, 'crm').locator('button').first()
    await until.fill(date(-1))
    await save.click()
    await problem(page, 'until')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'problem')
    await until.fill(date(1))
    await save.click()
    await page.waitForSelector('body:not([data-error])')
    assert.equal(await until.inputValue(), date(1))
    const end = Date.parse(`${date(1)}T23:59:59Z`) / 1000
    const next = await valid('crm', response)
    assert.equal(claims(next).exp, end)
    await until.fill('')
    await save.click()
    await page.waitForFunction(() => document.querySelector('input[name=until]').value === '')
    assert.ok(claims(await valid('crm', next)).exp > end)
    // An end that the user sets at the consent page.
    const { response: short } = await complete(page, 'crm', { prompt: 'consent' }, '3600')
    assert.ok(short.expires_in <= 3600)
  },

  async removal() {
    const { response } = await complete(page, 'crm', { scope: 'openid offline_access legacy:autonomy.read' })
    const { response: portal } = await complete(page, 'portal')
    const next = await valid('crm', response)
    await openAccount(page)
    await app(page, 'crm').locator('button.danger').click()
    await app(page, 'crm').waitFor({ state: 'detached' })
    await ended('crm', next)
    await valid('portal', portal)
    // A new consent does not revive the old login.
    const { response: later } = await complete(page, 'crm')
    await ended('crm', next)
    await valid('crm', later)
  },

  async sign_out() {
    const { response } = await complete(page, 'portal')
    const { response: offline } = await complete(page, 'crm', { scope: 'openid offline_access' })
    const cookie = await sessionCookie(context)
    await openAccount(page)
    await page.click('#sign-out')
    await shown(page, 'signed-out')
    assert.equal(await sessionCookie(context), undefined)
    await ended('portal', response)
    await valid('crm', offline)
    // The session is over, not only its cookie.
    await context.addCookies([cookie])
    await begin(page, 'portal')
    await shown(page, 'login')
  },

  async sign_out_by_client() {
    const { response } = await complete(page, 'portal')
    const bye = clients.portal.post_logout_redirect_uris[0]
    const query = new URLSearchParams({ client_id: 'portal', post_logout_redirect_uri: bye, state: 'x' })
    await page.goto(`${api}/oauth/logout?${query}`)
    await shown(page, 'sign-out')
    await page.click('#sign-out')
    await page.waitForURL(`${bye}?state=x`)
    await ended('portal', response)
  },

  async sign_out_everywhere() {
    const elsewhere = await newContext()
    const other = await elsewhere.newPage()
    const { response } = await complete(page, 'crm', { scope: 'openid offline_access' })
    const { response: second } = await complete(other, 'portal')
    await openAccount(page)
    await page.click('#sign-out-everywhere')
    await shown(page, 'signed-out')
    assert.equal(await sessionCookie(context), undefined)
    await ended('crm', response)
    await ended('portal', second)
    await begin(other, 'portal')
    await shown(other, 'login')
    await complete(other, 'portal')
  },

  async keyboard() {
    const flow = await begin(page, 'crm')
    const type = async (selector, text) => {
      await tabTo(page, selector)
      await page.keyboard.type(text)
    }
    await type('#username', user)
    await type('#password', 'wrong')
    await page.keyboard.press('Enter')
    await problem(page, 'credentials')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await type('#password', settings.password)
    await tabTo(page, '#sign-in')
    await page.keyboard.press('Enter')
    await shown(page, 'consent')
    await tabTo(page, '#for')
    await page.keyboard.press('ArrowDown')
    await tabTo(page, '#grant')
    await page.keyboard.press('Space')
    assert.ok((await tokens(page, flow)).access_token)
    await page.goto(`${api}/account`)
    await shown(page, 'account')
    assert.match(await app(page, 'crm').locator('input[name=until]').inputValue(), /^\d{4}-\d\d-\d\d$/)
    await tabTo(page, '.app button.danger')
    await page.keyboard.press('Enter')
    await app(page, 'crm').waitFor({ state: 'detached' })
    await tabTo(page, '#sign-out')
    await page.keyboard.press('Enter')
    await shown(page, 'signed-out')
  },

  async prompt_none() {
    const silent = async (client, error, params) =>
      rejected(page, await begin(page, client, { prompt: 'none', ...params }), error)
    await silent('portal', 'login_required')
    await silent('desk', 'login_required', { redirect_uri: LOOPBACK })
    await complete(page, 'portal')
    await tokens(page, await begin(page, 'portal', { prompt: 'none' }))
    await silent('crm', 'consent_required')
    await complete(page, 'crm')
    await tokens(page, await begin(page, 'crm', { prompt: 'none' }))
    await complete(page, 'desk', { redirect_uri: LOOPBACK })
    await silent('desk', 'interaction_required', { redirect_uri: LOOPBACK })
  },

  async wrong_redirect_uri() {
    for (const redirect_uri of [EVIL, `${clients.crm.redirect_uris[0]}/`, 'https://CRM.example/cb', 'javascript:alert(1)']) {
      const { url } = authorization('crm', { redirect_uri, state: 'evil-state' })
      assert.equal((await page.goto(url)).status(), 400)
      await problem(page, 'redirect_uri')
      assert.equal(page.url(), url)
      assert.deepEqual(await page.evaluate(() => [document.links.length, document.forms.length]), [0, 0])
      assert.doesNotMatch(await page.content(), /evil|crm|javascript/i)
    }
    assert.deepEqual(received, [])
  },

  async cross_site() {
    const { response } = await complete(page, 'portal')
    const cookie = await sessionCookie(context)
    for (const path of ['/oauth/login', '/oauth/consent', '/account/remove', '/account/limit', '/account/sign-out', '/account/sign-out-everywhere']) {
      await page.goto(EVIL)
      const sent = await submit(page, path, { username: users[1], password: settings.password, client_id: 'portal', decision: 'grant' })
      assert.equal(sent.status(), 403, path)
      assert.equal((await sent.request().allHeaders()).cookie, undefined, path)
      await problem(page, 'cross_site')
    }
    await inspect(page, 'cross_site')
    assert.deepEqual(await sessionCookie(context), cookie)
    await valid('portal', response)
    // A page of another site cannot show ours in a frame.
    await page.goto(EVIL)
    await page.evaluate((src) => document.body.append(Object.assign(document.createElement('iframe'), { src })), `${api}/account`)
    const end = Date.now() + 60_000
    while (!messages.some((text) => /frame/i.test(text)) && Date.now() < end) await page.waitForTimeout(100)
    assert.equal(await page.frames()[1].locator('[data-page]').count(), 0)
    assert.ok(messages.splice(0).some((text) => /frame/i.test(text)))
  },

  every_page: walk,
  german_pages: walk,
}

try {
  await scenarios[scenario]()
  assert.deepEqual(messages, [])
  console.log(JSON.stringify({ passed: scenario }))
} finally {
  await close()
}
