// Logs a user in, keeps the login in a cookie that no script can read, and the access token in a variable.

const API = 'http://localhost:9000'
const CLIENT_ID = 'demo-browser'

// The access token and the time at which it expires, in milliseconds of this page. Never in localStorage or
// sessionStorage, which every script of the page can read.
let access

// The other tabs of the application. They have the same cookie.
const tabs = new BroadcastChannel('session')

/** The error response of the API. */
class ApiError extends Error {
  constructor(response, body) {
    super(body.error_description ?? response.statusText)
    this.code = body.error
    this.retryAfter = response.headers.get('Retry-After')
  }
}

/** Sends a form. A form needs no preflight. `credentials` lets the browser send and store the cookie. */
async function post(path, params) {
  const body = new URLSearchParams({ client_id: CLIENT_ID, ...params })
  const response = await fetch(API + path, { method: 'POST', credentials: 'include', body })
  if (!response.ok) throw new ApiError(response, await response.json().catch(() => ({})))
  return response
}

async function requestToken(params) {
  const response = await post('/oauth/token', params)
  const { access_token: token, expires_in: seconds, scope } = await response.json()
  access = { token, scope, expiresAt: performance.now() + seconds * 1000 }
}

function logIn(username, password) {
  return requestToken({ grant_type: 'password', username, password })
}

/** Gets new tokens. Only one tab refreshes at a time: a tab never sends a cookie that another tab replaces meanwhile. */
function refresh() {
  return navigator.locks.request('refresh', () => requestToken({ grant_type: 'refresh_token' }))
}

/** Returns an access token for a request to an API. Refreshes if the token expires within 30 seconds. */
export async function accessToken() {
  if (!access || access.expiresAt - performance.now() < 30_000) await refresh()
  return access.token
}

/** Ends the login of the cookie. After the response no token of the login can be refreshed. */
async function logOut() {
  await navigator.locks.request('refresh', () => post('/oauth/revoke', {}))
  access = undefined
  tabs.postMessage('logged out')
}

// The page.

const element = (id) => document.getElementById(id)

function show(message = '') {
  element('login').hidden = Boolean(access)
  element('session').hidden = !access
  element('message').textContent = message
  if (!access) return
  const claims = JSON.parse(atob(access.token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')))
  element('user').textContent = claims.sub
  element('scope').textContent = access.scope
  element('until').textContent = new Date(claims.exp * 1000).toLocaleTimeString()
}

/** Runs an action, and shows its result. Without a login the page shows the form. */
async function run(action) {
  try {
    await action()
    show()
  } catch (error) {
    if (error.code === 'invalid_grant') access = undefined
    const wait = error.retryAfter ? ` Try again in ${error.retryAfter} seconds.` : ''
    show(error.message + wait)
  }
}

element('login').addEventListener('submit', (event) => {
  event.preventDefault()
  const { username, password } = event.target.elements
  run(() => logIn(username.value, password.value))
  password.value = ''
})
element('refresh').addEventListener('click', () => run(refresh))
element('logout').addEventListener('click', () => run(logOut))
tabs.addEventListener('message', () => {
  access = undefined
  show()
})

// A page that was just loaded has no access token. The cookie, if there is one, gets one.
refresh().then(() => show(), (error) => show(error.code === 'invalid_grant' ? '' : error.message))
